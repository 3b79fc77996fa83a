"""Waiting for files: rescanning is the truth, notification only shortens the wait; and aliveness.

A program has one ``Watch``. Whatever waits probes, waits for the next pulse or the end of its pace,
and probes again; so a notification that never comes costs time and nothing else.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
import time
from collections.abc import Callable
from typing import Final, TypeVar

from sympozium_protocol.files import Directory
from sympozium_protocol.layout import ALIVE_FILE

T = TypeVar("T")

TOUCH_EVERY: Final = 2.0
"""Seconds between two touches of ``alive``."""

DEAD_AFTER: Final = 10.0
"""Seconds without a touch after which a program counts as dead: four missed touches and some slack."""

_IN_CREATE = 0x100
_IN_MOVED_TO = 0x80
_IN_CLOSE_WRITE = 0x8
_IN_NONBLOCK = os.O_NONBLOCK
_IN_CLOEXEC = os.O_CLOEXEC
_EVENT = struct.Struct("iIII")


class Watch:
    """One inotify instance (man inotify(7)) for a whole program, or none where it is refused.

    ``SYMPOZIUM_INOTIFY=off`` refuses it, so that the slow way can be tested and measured.
    """

    def __init__(self, *, enabled: bool | None = None, told: bool = False) -> None:
        self.told = told
        """Does whoever makes a change pulse? Then nothing is looked for but what a pulse says."""
        self.proven = False
        """Has a notification ever come? It can be accepted and deliver nothing (gVisor, some volumes)."""
        self._waiters: set[asyncio.Future[None]] = set()
        self._fd = -1
        self._libc = ctypes.CDLL(None, use_errno=True)
        if enabled is None:
            enabled = not told and os.environ.get("SYMPOZIUM_INOTIFY") != "off"
        if enabled:
            self._fd = self._libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
        if self._fd >= 0:
            asyncio.get_running_loop().add_reader(self._fd, self._drain)

    def add(self, directory: Directory, *, marks: bool = False, appended: bool = False) -> None:
        """Pulse when a file is renamed into ``directory``.

        ``marks``: or created there, empty. ``appended``: or written to and closed. Nothing more is
        asked for, since every event wakes the program. A refusal is no error: the pace of rescanning
        stands in for it.
        """
        if self._fd < 0:
            return
        mask = _IN_MOVED_TO | (_IN_CREATE if marks else 0) | (_IN_CLOSE_WRITE if appended else 0)
        self._libc.inotify_add_watch(self._fd, b"/proc/self/fd/%d" % directory.fd, mask)

    def _drain(self) -> None:
        try:
            data = os.read(self._fd, 65536)
        except BlockingIOError:
            return
        self.proven = self.proven or len(data) >= _EVENT.size
        self.pulse()

    def pulse(self) -> None:
        """Wake whatever waits."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, timeout: float) -> None:
        """Until the next pulse, at most ``timeout`` seconds."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.add(waiter)
        timer = loop.call_later(timeout, _finish, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiters.discard(waiter)

    def close(self) -> None:
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1


def _finish(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class Pace:
    """How long to wait until the next rescan: a share of the silence so far, 5 ms to 1 s.

    So what notification misses is seen late by a fixed share of the time that it took anyway: 2 %
    where no notification has ever come, 20 % where they do. A program that waits for hours wakes
    once a second.
    """

    SHORTEST: Final = 0.005
    LONGEST: Final = 1.0
    TOLD: Final = 60.0
    """Where every change is told, and looking is for nothing but a fault of ours."""

    def __init__(self, watch: Watch, now: Callable[[], float] = time.monotonic) -> None:
        self._watch = watch
        self._now = now
        self._active = now()

    def active(self) -> None:
        """Something was found: look again soon."""
        self._active = self._now()

    def next(self) -> float:
        if self._watch.told:
            return self.TOLD
        share = 0.2 if self._watch.proven else 0.02
        return min(max((self._now() - self._active) * share, self.SHORTEST), self.LONGEST)

    async def wait(self, at_most: float | None = None) -> None:
        """Until a pulse or the next rescan is due."""
        due = self.next()
        await self._watch.wait(due if at_most is None else max(0.0, min(due, at_most)))


async def until(probe: Callable[[], T | None], watch: Watch) -> T:
    """Wait until ``probe`` finds something; its errors are raised."""
    pace = Pace(watch)
    while (found := probe()) is None:
        await pace.wait()
    return found


async def stay_alive(directory: Directory) -> None:
    """Touch ``alive`` for as long as the program lives. Raises CannotWrite."""
    while True:
        directory.touch(ALIVE_FILE)
        await asyncio.sleep(TOUCH_EVERY)


class Pulse:
    """Another program's sign of life, judged by our own monotonic clock and by nothing it says."""

    def __init__(self, directory: Directory, now: float) -> None:
        self._directory = directory
        self._stamp = directory.touched(ALIVE_FILE)
        self._since = now

    def dead(self, now: float) -> bool:
        """Has it been silent for DEAD_AFTER seconds of our watching?"""
        stamp = self._directory.touched(ALIVE_FILE)
        if stamp != self._stamp:
            self._stamp = stamp
            self._since = now
        return now - self._since > DEAD_AFTER
