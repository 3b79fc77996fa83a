"""The runs of this server: how many there may be at once, how each comes to its end, and how many are kept."""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sympozium_protocol.exits import Reason
from sympozium_web.command import Finished, run

PREFIX: Final = "web-"
STOPPING: Final = "the server was told to stop"


class Busy(Exception):
    """There are as many runs as there may be."""


class Stopping(Exception):
    """The server was told to stop, and starts no run any more."""


@dataclass(eq=False, frozen=True, slots=True)
class Run:
    """A run that was started. Whoever waits for it awaits ``ended``, which is there at once when the server stops.

    ``working`` belongs to the server and not to the request: cancelled, it ends when nothing of the run is left.
    """

    directory: Path
    working: asyncio.Task[Finished]
    ended: asyncio.Future[Finished]

    def stop(self) -> None:
        """Tell who waits that it is cancelled, and cancel it."""
        if not self.ended.done():
            self.ended.set_result(Finished(self.directory.name, Reason.Cancelled, None, STOPPING))
        self.working.cancel()


class Runs:
    """Starts runs, each in a directory of its own below ``root``."""

    def __init__(self, root: Path, limit: int, keep: int) -> None:
        self._root = root
        self._limit = limit
        self._keep = keep
        self._stopping = False
        self._going: set[Run] = set()
        self._in_use: set[Path] = set()

    @asynccontextmanager
    async def started(self, arguments: Sequence[str], text: str) -> AsyncIterator[Run]:
        """A run with these options of ``sympozium run``, cancelled when the block is left before its end.

        Its place is free when nothing of it is left; its directory stays as long as the block. Raises Busy, Stopping.
        """
        if self._stopping:
            raise Stopping
        if len(self._going) >= self._limit:
            raise Busy
        directory = self._root / run_name(time.time())
        found = self._start(directory, arguments, text)
        self._in_use.add(directory)
        try:
            yield found
        finally:
            found.working.cancel()
            self._in_use.discard(directory)
            # not here: a run may have left many files, and others wait
            asyncio.get_running_loop().run_in_executor(None, prune, self._root, self._keep, frozenset(self._in_use))

    def _start(self, directory: Path, arguments: Sequence[str], text: str) -> Run:
        working = asyncio.ensure_future(run(directory, arguments, text))
        found = Run(directory, working, asyncio.get_running_loop().create_future())
        self._going.add(found)
        working.add_done_callback(lambda _: self._over(found))
        return found

    def _over(self, found: Run) -> None:
        self._going.discard(found)
        if found.ended.done():
            return
        if found.working.cancelled():
            found.ended.cancel()
        elif fault := found.working.exception():
            found.ended.set_exception(fault)
        else:
            found.ended.set_result(found.working.result())

    def stop(self) -> None:
        """Start no more, and cancel all."""
        self._stopping = True
        for found in list(self._going):
            found.stop()

    async def idle(self) -> None:
        """Until nothing runs any more."""
        while self._going:
            await asyncio.wait([found.working for found in self._going])


def run_name(now: float) -> str:
    """As the command names runs, so that they sort, and with a sign of whose they are."""
    return f"{PREFIX}{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{secrets.token_hex(4)}"


def prune(root: Path, keep: int, in_use: frozenset[Path]) -> None:
    """Remove the oldest runs of this server, but for those that still go on or are read."""
    mine = sorted(path for path in root.glob(f"{PREFIX}*") if path.is_dir())
    for path in mine[: max(0, len(mine) - keep)]:
        if path not in in_use and not _live(path):
            shutil.rmtree(path, ignore_errors=True)


def _live(directory: Path) -> bool:
    """Does a program of the run hold its lock?"""
    try:
        fd = os.open(directory / "lock", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
