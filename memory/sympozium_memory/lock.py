"""The lock under which a memory is written, beside SQLite's own.

SQLite's waiters sleep and look again, up to a tenth of a second each time: with several processes some
would wait for long. Waiters at this lock are woken when it is free. Who does not know it (the sqlite3
shell) is kept out by SQLite's.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from sympozium_memory.faults import CannotUse


class Lock:
    """``FILE-lock``, held while in the ``with``. It goes with the process, however that ends."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + "-lock")
        self._file = path
        self._fd = -1

    def __enter__(self) -> Self:
        try:
            if self._fd < 0:
                self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        except OSError as error:
            raise CannotUse(self._file, f"the memory cannot be locked ({error.strerror})") from None
        return self

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
