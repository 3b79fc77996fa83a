"""So much at once, and of it no more for one author: who sends hundreds of requests makes nobody wait but himself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

_ACCOUNT: Final = "system:serviceaccount:"


def who(user: Mapping[str, Any]) -> str:
    """Whose share a user (an AdmissionRequest's userInfo) takes: all accounts of a namespace have one together."""
    name = str(user.get("username", ""))
    return name.rpartition(":")[0] if name.startswith(_ACCOUNT) else name


@dataclass(slots=True)
class _Share:
    slots: asyncio.Semaphore
    users: int = 0
    """That have some of it, or wait for it."""


class Shares:
    """``whole`` slots, of which one author has ``each`` at most.

    Who waits for his own share stands in nobody's way: before the whole wait at most ``each`` of every other author,
    and whoever comes goes behind them, so authors take turns.
    """

    def __init__(self, whole: int, each: int) -> None:
        self._whole = asyncio.Semaphore(whole)
        self._each = each
        self._shares: dict[str, _Share] = {}

    @asynccontextmanager
    async def slot(self, author: str) -> AsyncIterator[None]:
        """One slot, as soon as there is one for this author."""
        share = self._shares.setdefault(author, _Share(asyncio.Semaphore(self._each)))
        share.users += 1
        try:
            async with share.slots, self._whole:
                yield
        finally:
            share.users -= 1
            if not share.users:
                del self._shares[author]
