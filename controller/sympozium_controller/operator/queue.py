"""Which object is looked at next: each key once, by one worker at a time; one that failed later and later."""

from __future__ import annotations

import asyncio
import random
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Generic, TypeVar

from sympozium_protocol.kube.errors import KubeError
from sympozium_protocol.process import log

K = TypeVar("K", bound=Hashable)

FIRST: Final = 0.05
MOST: Final = 60.0
"""Seconds until a key that failed is tried again: doubled each time, spread by a quarter."""
LAST_PLACES: Final = 4
"""Of a fault's calls, as many as are logged."""
SOON_AT_MOST: Final = 32
"""Keys that are wanted soon, one after the other, before another has its turn."""
RETRIES: Final = 50.0
"""Retries a second over all keys: a server in trouble is not asked faster by more objects."""


def _unheard(_: str) -> None:
    """Nobody counts."""


def _where(error: BaseException) -> str:
    """The last places of the call, as FILE:LINE."""
    found = traceback.extract_tb(error.__traceback__)[-LAST_PLACES:]
    return " ".join(f"{place.filename.rpartition('/')[2]}:{place.lineno}" for place in found)


class Queue(Generic[K]):
    """Keys that wait. A key that is added while it is worked on is worked on once more after that."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.on_failure: Callable[[str], None] = _unheard
        self.timed: Callable[[], AbstractContextManager[object]] = nullcontext
        self._ready: deque[K] = deque()
        self._soon: deque[K] = deque()
        self._in_a_row = 0
        self._waiting: set[K] = set()
        self._busy: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._later: dict[K, tuple[float, asyncio.TimerHandle]] = {}
        self._wake = asyncio.Event()
        self._next_retry = 0.0

    def __len__(self) -> int:
        return len(self._ready) + len(self._soon) + len(self._again)

    def add(self, key: K, after: float = 0.0, *, soon: bool = False) -> None:
        """Look at it after so many seconds; the soonest of several wishes counts. ``soon``: before most others."""
        if after > 0:
            self._delay(key, after)
            return
        self._drop_timer(key)
        if key in self._busy:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            (self._soon if soon else self._ready).append(key)
            self._wake.set()

    def failed(self, key: K) -> None:
        """Try it again, later than last time."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        loop = asyncio.get_running_loop()
        self._next_retry = max(loop.time(), self._next_retry + 1 / RETRIES)
        backoff = min(FIRST * 2 ** min(count, 20), MOST) * random.uniform(0.75, 1.25)  # noqa: S311  no secret
        self._delay(key, max(backoff, self._next_retry - loop.time()))

    def succeeded(self, key: K) -> None:
        self._failures.pop(key, None)

    async def run(self, work: Callable[[K], Awaitable[None]], workers: int) -> None:
        """Until cancelled. What the API server refuses is logged and tried again, and so is any other fault: one
        object, whoever wrote it, keeps no other from being worked on. ``on_failure`` is told ``server`` or ``fault``,
        and each look happens within what ``timed`` gives.
        """
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._work(work))

    async def _work(self, work: Callable[[K], Awaitable[None]]) -> None:
        while True:
            key = await self._take()
            await asyncio.sleep(0)  # a look may wait for nothing, and the Lease is to be renewed
            try:
                with self.timed():
                    await work(key)
                self.succeeded(key)
            except KubeError as error:
                log("tried again", queue=self.name, key=key, why=f"{error.reason}: {error.message}")
                self.on_failure("server")
                self.failed(key)
            except Exception as error:  # noqa: BLE001  ours, brought about by this object
                log("fault", queue=self.name, key=key, why=f"{type(error).__name__}: {error}", where=_where(error))
                self.on_failure("fault")
                self.failed(key)
            finally:
                self._done(key)

    async def _take(self) -> K:
        while not self._ready and not self._soon:
            self._wake.clear()
            await self._wake.wait()
        key = self._next().popleft()
        self._waiting.discard(key)
        self._busy.add(key)
        return key

    def _next(self) -> deque[K]:
        """Whose turn it is: nobody waits for ever, however many come who are wanted soon."""
        soon = bool(self._soon) and (not self._ready or self._in_a_row < SOON_AT_MOST)
        self._in_a_row = self._in_a_row + 1 if soon else 0
        return self._soon if soon else self._ready

    def _done(self, key: K) -> None:
        self._busy.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def _delay(self, key: K, after: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + after
        had = self._later.get(key)
        if had is not None and had[0] <= due:
            return
        self._drop_timer(key)
        self._later[key] = (due, loop.call_at(due, self.add, key))

    def _drop_timer(self, key: K) -> None:
        if had := self._later.pop(key, None):
            had[1].cancel()
