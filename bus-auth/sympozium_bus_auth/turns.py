"""Whose question is answered next: so many at a time, of one host fewer, and none that nobody waits for any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

AT_ONCE: Final = 32
"""In hand: some are answered by asking others."""
OF_A_HOST: Final = 8
"""So that an agent, which shares its bridge's address, keeps out nobody by asking on and on."""
WAITED: Final = 3.0
"""Seconds after which the server has turned the client away."""


class Late(Exception):
    """Its turn did not come in time."""


@dataclass
class _Host:
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(OF_A_HOST))
    users: int = 0


class Turns:
    """Of all questions that came."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(AT_ONCE)
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Wait for it, and have it. Raises Late."""
        own = self._hosts.setdefault(host, _Host())
        own.users += 1
        try:
            async with _had(own.room), _had(self._room):
                yield
        finally:
            own.users -= 1
            if not own.users:
                del self._hosts[host]


@asynccontextmanager
async def _had(room: asyncio.Semaphore) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(WAITED):
            await room.acquire()
    except TimeoutError:
        raise Late from None
    try:
        yield
    finally:
        room.release()
