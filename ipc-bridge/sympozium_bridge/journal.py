"""What the stream is to have of this run, in order, and how much of it the stream has. Without a bus: nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from sympozium_protocol.bus.documents import CHUNK
from sympozium_protocol.bus.places import LAST, is_body, rank
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import digest

FULL: Final = 64 << 20
"""Bytes that may wait for the stream; with more, the gate reads no further calls until it catches up."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as the gate read it, or wrote it. A large body is not kept in memory: ``again`` reads it anew."""

    path: str
    data: bytes
    size: int
    again: Callable[[], Iterator[bytes]] | None = None

    def pieces(self) -> Iterator[bytes]:
        """CHUNK bytes each, the last what is left."""
        if self.again:
            return self.again()
        return (self.data[at : at + CHUNK] for at in range(0, len(self.data), CHUNK))


@dataclass(slots=True)
class Journal:
    """Each file once. ``published``: is there a bus at all?"""

    published: bool = False
    wake: Callable[[], None] = lambda: None
    """Called when there is something to publish."""
    adopt: Callable[[str, bytes], bool] = lambda path, data: False
    """May the stream's file stand in for ours, which nobody has seen yet?"""
    waiting: deque[Entry] = field(default_factory=deque)
    size: int = 0
    added: int = 0
    _digests: dict[str, str] = field(default_factory=dict)
    _stored: dict[str, str] = field(default_factory=dict)

    def add(self, path: str, data: bytes) -> None:
        """Raises Ended (InvalidRun) when the stream has another file under that path."""
        self._add(Entry(path, data, len(data)))

    def add_body(self, path: str, size: int, again: Callable[[], Iterator[bytes]]) -> None:
        """A large one, whose digest has been checked."""
        self._add(Entry(path, b"", size, again))

    def _add(self, entry: Entry) -> None:
        if not self.published or entry.path in self._digests:
            return
        self._digests[entry.path] = _digest(entry.path, entry.data)
        if entry.path in self._stored:
            return self._compare(entry.path)
        self.waiting.append(entry)
        self.size += len(entry.data)
        self.added += 1
        self.wake()

    def sort(self) -> None:
        """Put what waits into the order in which it came to be, bodies before the document that names them."""
        groups: list[list[Entry]] = [[]]
        for entry in self.waiting:
            groups[-1].append(entry)
            if not is_body(entry.path):
                groups.append([])
        groups.sort(key=lambda group: rank(group[-1].path) if group else LAST)
        self.waiting = deque(entry for group in groups for entry in group)

    def has(self, path: str) -> bool:
        """Has it been added, or is it in the stream?"""
        return path in self._digests or path in self._stored

    def stored(self, path: str, data: bytes) -> bool:
        """The stream has this file. Is it one of ours? Raises Ended (InvalidRun)."""
        self._stored[path] = _digest(path, data)
        if path not in self._digests:
            return False
        if self._digests[path] != self._stored[path]:
            self._take_back(path, data)
        self._done(path)
        return True

    def drop(self, path: str) -> None:
        """It cannot be published: it is not what it was when it was looked at."""
        self._done(path)

    def _done(self, path: str) -> None:
        for entry in self.waiting:
            if entry.path == path:
                self.waiting.remove(entry)
                self.size -= len(entry.data)
                break

    def _take_back(self, path: str, data: bytes) -> None:
        if not self.adopt(path, data):
            self._compare(path)
        self._digests[path] = self._stored[path]

    def _compare(self, path: str) -> None:
        if self._digests[path] != self._stored[path]:
            raise Ended(Reason.InvalidRun, f"{path}: is not what the run's stream has under that name")

    @property
    def mark(self) -> int:
        """How far it goes now; see ``reached``."""
        return self.added

    def reached(self, mark: int) -> bool:
        """Has the stream everything up to this mark?"""
        return self.added - len(self.waiting) >= mark

    @property
    def behind(self) -> int:
        """Files that the stream does not have yet."""
        return len(self.waiting)

    @property
    def full(self) -> bool:
        return self.size > FULL


def _digest(path: str, data: bytes) -> str:
    return path.rpartition("/")[2] if is_body(path) else digest(data)
