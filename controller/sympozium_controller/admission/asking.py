"""Does somebody hold these rights? Asked of the API server, a few at a time, and no further than a refusal names."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from sympozium_controller.admission.rights import Right, Wanted, access_review, everything_in
from sympozium_controller.admission.shares import Shares, who
from sympozium_protocol.kube.api import KubeApi
from sympozium_protocol.kube.resources import ACCESS_REVIEWS

AT_ONCE: Final = 16
"""Questions under way: more of them only wait in the API server."""
OF_ONE: Final = 4
"""Of these, questions about what one author holds."""
NAMED: Final = 3
"""Rights that a refusal tells one by one; whether there are more is asked, and not how many."""
FEW: Final = 3
"""Rights in one namespace for which it is not worth asking whether all of them are held."""


LATELY: Final = 60.0
"""Seconds for which an author of runs is taken to hold what he held: runs of one instance come many at a time."""
REMEMBERED: Final = 4096
"""Authors with their rights; then all are asked again."""


class Asking:
    """The questions of one program; what bounds them in time is the caller's deadline. Raises KubeError."""

    def __init__(self, api: KubeApi, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._shares = Shares(AT_ONCE, OF_ONE)
        self._held: dict[tuple[str, frozenset[Right]], float] = {}

    async def holds(self, right: Right, user: Mapping[str, Any]) -> bool:
        async with self._shares.slot(who(user)):
            found = await self._api.create(ACCESS_REVIEWS, access_review(right, user))
        return bool((found.get("status") or {}).get("allowed"))

    async def lacking_lately(self, wanted: Sequence[Wanted], user: Mapping[str, Any]) -> tuple[Wanted, ...]:
        """As ``lacking``; who held them all a minute ago is not asked again."""
        key = (json.dumps(user, sort_keys=True), frozenset(one.right for one in wanted))
        if not wanted or self._held.get(key, -LATELY) > self._clock() - LATELY:
            return ()
        lacked = await self.lacking(wanted, user)
        if not lacked:
            if len(self._held) >= REMEMBERED:
                self._held.clear()
            self._held[key] = self._clock()
        return lacked

    async def lacking(self, wanted: Iterable[Wanted], user: Mapping[str, Any]) -> tuple[Wanted, ...]:
        """The first of those that ``user`` does not hold, in their order: more than NAMED of them if there are more."""
        return await _Questions(tuple(wanted), lambda right: self.holds(right, user)).lacking()


class _Questions:
    """About the rights of one object: each in its turn, and none once a refusal has enough to name."""

    def __init__(self, wanted: Sequence[Wanted], holds: Callable[[Right], Awaitable[bool]]) -> None:
        self._wanted = wanted
        self._holds = holds
        self._left = iter(wanted)
        self._lacked: set[Wanted] = set()
        places = Counter(one.right.namespace for one in wanted)
        self._whole = {place: _Once(everything_in(place), holds) for place, many in places.items() if many > FEW}

    async def lacking(self) -> tuple[Wanted, ...]:
        async with asyncio.TaskGroup() as group:
            for _ in range(OF_ONE):
                group.create_task(self._ask())
        return tuple(one for one in self._wanted if one in self._lacked)

    async def _ask(self) -> None:
        """What others ask meanwhile is waited for, so those that are found lacking are the first."""
        for one in self._left:
            whole = self._whole.get(one.right.namespace)
            if whole and await whole.answer():
                continue
            if not await self._holds(one.right):
                self._lacked.add(one)
            if len(self._lacked) > NAMED:
                return


class _Once:
    """A question whose answer several wait for."""

    def __init__(self, right: Right, holds: Callable[[Right], Awaitable[bool]]) -> None:
        self._right = right
        self._holds = holds
        self._turn = asyncio.Lock()
        self._found: bool | None = None

    async def answer(self) -> bool:
        async with self._turn:
            if self._found is None:
                self._found = await self._holds(self._right)
        return self._found
