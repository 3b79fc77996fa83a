"""How many runs there may be at once, and how many are kept: what a client cannot use up."""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

PREFIX: Final = "web-"


class Busy(Exception):
    """There are as many runs as there may be."""


class Slots:
    """Starts runs, each in a directory of its own below ``root``."""

    def __init__(self, root: Path, limit: int, keep: int) -> None:
        self._root = root
        self._limit = limit
        self._keep = keep
        self.running = 0
        self._ended = asyncio.Event()

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[Path]:
        """A slot, and the directory of the run that is to be in it. Raises Busy."""
        if self.running >= self._limit:
            raise Busy
        self.running += 1
        try:
            yield self._root / run_name(time.time())
        finally:
            self.running -= 1
            self._ended.set()
            prune(self._root, self._keep)

    async def idle(self) -> None:
        """Until nothing runs any more."""
        while self.running:
            self._ended.clear()
            await self._ended.wait()


def run_name(now: float) -> str:
    """As the command names runs, so that they sort, and with a sign of whose they are."""
    return f"{PREFIX}{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{secrets.token_hex(4)}"


def prune(root: Path, keep: int) -> None:
    """Remove the oldest runs of this server, but for those that still go on."""
    mine = sorted(path for path in root.glob(f"{PREFIX}*") if path.is_dir())
    for path in mine[: max(0, len(mine) - keep)]:
        if not _live(path):
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
