"""Did a file appear whole? inotify(7) tells a rename from a file that is written under its own name."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

_IN_MODIFY = 0x2
_EVENT = struct.Struct("iIII")


class InPlace:
    """Watches directories for files that are written to under a name without a dot.

    Where inotify is refused it sees nothing; a file that does not parse at first sight is then the
    only sign left.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._places: dict[int, str] = {}

    def add(self, directory: Path, name: str) -> None:
        """``name`` is how the directory is called in ``seen``."""
        if self._fd >= 0:
            self._places[self._libc.inotify_add_watch(self._fd, os.fsencode(directory), _IN_MODIFY)] = name

    def seen(self) -> list[str]:
        """The files written to in place since the last look."""
        found: list[str] = []
        while data := self._read():
            while data:
                watch, _, _, length = _EVENT.unpack_from(data)
                name = os.fsdecode(data[_EVENT.size : _EVENT.size + length].rstrip(b"\0"))
                data = data[_EVENT.size + length :]
                if name and not name.startswith("."):
                    found.append(f"{self._places.get(watch, '?')}/{name}")
        return sorted(set(found))

    def _read(self) -> bytes:
        try:
            return os.read(self._fd, 65536) if self._fd >= 0 else b""
        except BlockingIOError:
            return b""

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
