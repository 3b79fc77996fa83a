"""The lock under which a memory is written, beside SQLite's own.

SQLite's waiters sleep and look again, up to a tenth of a second each time: with several processes some
would wait for long. Waiters at this lock are woken in the order in which they came, and who releases it
lets the next one in before it asks again. Who does not know it (the sqlite3 shell) is kept out by SQLite's.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from pathlib import Path
from typing import Final, Self

from sympozium_memory.faults import CannotUse

_FLOCK: Final = struct.Struct("hhqqi4x")
"""``struct flock``, fcntl(2): type, whence, start, length, process."""

_HELD: Final = 0
_WAITING: Final = 1
"""Bytes of the file: one writer has the first; whoever waits for it shares the second."""

_LET_IN: Final = 0.02
"""Seconds for which the next in line is let in; it may have died or be stopped."""

_LOOK: Final = 0.0002


class Lock:
    """``FILE-lock``, held while in the ``with``, by one thread at a time. It goes with the process, however
    that ends. Raises CannotUse."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + "-lock")
        self._file = path
        self._fd = -1

    def __enter__(self) -> Self:
        try:
            if self._fd < 0:
                self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            if not self._set(_HELD, fcntl.F_WRLCK):
                self._set(_WAITING, fcntl.F_RDLCK)
                self._set(_HELD, fcntl.F_WRLCK, wait=True)
                self._set(_WAITING, fcntl.F_UNLCK)
        except OSError as error:
            raise CannotUse(self._file, f"the memory cannot be locked ({error.strerror})") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._set(_HELD, fcntl.F_UNLCK)
        ends = time.monotonic() + _LET_IN
        while self._others(_WAITING) and not self._others(_HELD) and time.monotonic() < ends:
            time.sleep(_LOOK)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def waited_for(self) -> bool:
        """Does another wait for it?"""
        return self._others(_WAITING)

    def _set(self, byte: int, kind: int, *, wait: bool = False) -> bool:
        """Of the open file, not of the process: no other part of it can lose this lock by a close. Raises OSError."""
        try:
            fcntl.fcntl(self._fd, fcntl.F_OFD_SETLKW if wait else fcntl.F_OFD_SETLK, _flock(kind, byte))
        except BlockingIOError:
            return False
        return True

    def _others(self, byte: int) -> bool:
        found = fcntl.fcntl(self._fd, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK, byte))
        return bool(_FLOCK.unpack(found)[0] != fcntl.F_UNLCK)


def _flock(kind: int, byte: int) -> bytes:
    return _FLOCK.pack(kind, os.SEEK_SET, byte, 1, 0)
