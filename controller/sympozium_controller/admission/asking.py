"""Does somebody hold these rights? Asked of the API server, many at a time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from sympozium_controller.admission.rights import Right, Wanted, access_review, everything_in
from sympozium_protocol.kube.api import KubeApi
from sympozium_protocol.kube.resources import ACCESS_REVIEWS

AT_ONCE: Final = 16
"""Questions under way: more of them only wait in the API server."""
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
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._held: dict[tuple[str, frozenset[Right]], float] = {}

    async def holds(self, right: Right, user: Mapping[str, Any]) -> bool:
        async with self._slots:
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
        """Those that ``user`` does not hold, in their order."""
        by_place: dict[str, list[Wanted]] = {}
        asked = list(wanted)
        for one in asked:
            by_place.setdefault(one.right.namespace, []).append(one)
        async with asyncio.TaskGroup() as group:
            found = [group.create_task(self._lacking(place, ones, user)) for place, ones in by_place.items()]
        lacked = {one for task in found for one in task.result()}
        return tuple(one for one in asked if one in lacked)

    async def _lacking(self, place: str, wanted: Sequence[Wanted], user: Mapping[str, Any]) -> list[Wanted]:
        if len(wanted) > FEW and await self.holds(everything_in(place), user):
            return []
        async with asyncio.TaskGroup() as group:
            found = [group.create_task(self.holds(one.right, user)) for one in wanted]
        return [one for one, task in zip(wanted, found, strict=True) if not task.result()]
