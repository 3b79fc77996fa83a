"""Following a directory: numbered files in their order, and names as they come. Each is given out once."""

from __future__ import annotations

from collections.abc import Iterator

from sympozium_protocol.files import Directory


class Numbered:
    """Reads ``1.json``, ``2.json``, … of one directory in order, each once, by probing the next number."""

    def __init__(self, directory: Directory, after: int = 0) -> None:
        self.directory = directory
        self.last = after

    def next(self) -> tuple[int, bytes] | None:
        """The next file, if it is there. Raises BadFile without going on: what follows a gap is not read."""
        data = self.directory.read(f"{self.last + 1}.json")
        if data is None:
            return None
        self.last += 1
        return self.last, data

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        while (found := self.next()) is not None:
            yield found


class Listed:
    """The names of one directory, each given out once.

    It lists when the directory's time stamp is another than before, and once more when a stamp has
    stood for GRAIN_NS: a change may share the stamp of the one before it, within a tick of the file
    system's clock. So a directory of thousands is listed twice a change, however often it is looked at.
    """

    GRAIN_NS = 15_000_000
    """Longer than a tick of a coarse clock (1 to 10 ms)."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.seen: set[str] = set()
        self._stamp = -1
        self._since = 0
        self._settled = False

    def new(self, now_ns: int) -> list[str]:
        """Names that were not there before, sorted; ``now_ns`` is any steady clock of the caller's."""
        if not self._due(now_ns):
            return []
        fresh = [name for name in self.directory.names() if name not in self.seen]
        self.seen.update(fresh)
        return sorted(fresh)

    def _due(self, now_ns: int) -> bool:
        stamp = self.directory.modified()
        if stamp != self._stamp:
            self._stamp, self._since, self._settled = stamp, now_ns, False
            return True
        if self._settled or abs(now_ns - self._since) <= self.GRAIN_NS:
            return False
        self._settled = True
        return True
