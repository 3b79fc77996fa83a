"""A memory: one file, open. Safe to be used by any number of threads; several processes of one host may share it."""

from __future__ import annotations

import queue
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from sympozium_memory import copy, rows
from sympozium_memory.entry import Entry, Stored, Trust, clean_content, clean_tags, digest_of
from sympozium_memory.faults import ReadOnlyFile
from sympozium_memory.file import File, told
from sympozium_memory.rows import New, Revoked
from sympozium_memory.search import search
from sympozium_memory.writer import Write, Writer
from sympozium_protocol.clock import seconds, utc

if TYPE_CHECKING:
    from sympozium_memory.exchange import Imported

T = TypeVar("T")


class Memory:
    """Every method may raise MemoryFault. What ``store`` has returned survives the end of the process and
    of the machine.

    Writes go through one thread of this object and are committed together; each read has a connection
    of its own and sees all that was stored before it.
    """

    def __init__(self, file: File, now: Callable[[], float]) -> None:
        self.path = file.path
        self._file = file
        # to the millisecond, as it is exported
        self._now: Callable[[], float] = lambda: seconds(utc(now()))
        self._writer = Writer(file)
        self._readers: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()

    @classmethod
    def open(cls, path: Path, *, now: Callable[[], float] = time.time) -> Memory:
        """Open the file, made if it is not there, brought forward if it is of an older version.

        Raises FileFault: NewerFile, CorruptFile, ForeignFile, ReadOnlyFile (nothing there and none can be
        made), NoSpace, CannotUse. None of these changes the file.
        """
        return cls(File.open(Path(path)), now)

    @property
    def writable(self) -> bool:
        return self._file.writable

    def store(
        self, content: str, *, tags: Sequence[str] = (), run: str = "", trust: Trust = "agent", call: str = ""
    ) -> Stored:
        """Keep ``content``; the same content again is counted, and its new tags are added.

        ``call``: a second store of the same content by the same call is not counted. Raises BadInput,
        WasRevoked, Busy, FileFault: nothing was stored then.
        """
        return self._write(self._putting(content, tags, run, trust, call))

    def submit(
        self, content: str, *, tags: Sequence[str] = (), run: str = "", trust: Trust = "agent", call: str = ""
    ) -> Future[Stored]:
        """As ``store``, without waiting. A Future that is cancelled in time stores nothing."""
        write = self._putting(content, tags, run, trust, call)
        self._must_be_writable()
        return self._writer.submit(write)

    def search(self, query: str, top_k: int = 5, *, tags: Sequence[str] = ()) -> list[Entry]:
        """The entries that answer ``query`` best and have all of ``tags``; any text is a valid query."""
        wanted = clean_tags(tags)
        return self._read(lambda db: search(db, query, top_k, wanted))

    def list(
        self,
        *,
        tags: Sequence[str] = (),
        run: str | None = None,
        limit: int = 20,
        before: int | None = None,
    ) -> list[Entry]:
        """Entries with all of ``tags``, that this run stored: the newest first, below the id ``before``."""
        wanted = clean_tags(tags)
        return self._read(lambda db: rows.newest(db, wanted, run, limit, before))

    def count(self) -> int:
        return self._read(rows.count)

    def revoke(self, *, run: str | None = None, ids: Sequence[int] = (), person: str = "", reason: str = "") -> Revoked:
        """Take back all that a run said, or these entries, for good: their content goes, a record stays.

        What was revoked is not stored again by an agent or a seed, but can be by a person.
        """

        def write(db: sqlite3.Connection) -> Revoked:
            if run is not None:
                return rows.revoke_run(db, run, person, reason, self._now())
            found = rows.by_ids(db, dict.fromkeys(ids))
            rows.revoke(db, found, person, reason, self._now())
            return Revoked(tuple(found))

        return self._write(write)

    def export(self) -> Iterator[str]:
        """All of it as JSON lines without line ends, as it was at one moment; ids are left out."""
        from sympozium_memory import exchange  # here: a program that only serves need not load it

        with self._reader() as db:
            yield from exchange.export(db)

    def import_(self, lines: Iterable[str]) -> Imported:
        """Take over an export. What is here already is counted as often as either says; twice changes nothing.

        Raises BadInput, which names the line; nothing was taken over then.
        """
        from sympozium_memory import exchange

        records = exchange.read(lines)
        done = exchange.Imported()
        for batch in exchange.batches(records):
            done += self._write(exchange.importing(batch))
        return done

    def backup(self, path: Path) -> None:
        """Write a consistent copy, whole or not at all, while the memory is in use. Raises CannotUse."""
        with self._reader() as db:
            copy.backup(db, Path(path))

    def check(self) -> tuple[str, ...]:
        """What is wrong with the file: nothing, if it is sound. Reads all of it; writers wait for a part of that."""
        found = self._read(copy.faults)
        return (*found, *(self._write(copy.faults_of_index) if self.writable else ()))

    def close(self) -> None:
        """Wait for what was submitted, and let the file go."""
        self._writer.close()
        while not self._readers.empty():
            self._readers.get_nowait().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _putting(self, content: str, tags: Sequence[str], run: str, trust: Trust, call: str) -> Write[Stored]:
        kept = clean_content(content)
        new = New(kept, digest_of(kept), clean_tags(tags), run, trust, self._now(), call)
        return lambda db: rows.put(db, new)

    def _must_be_writable(self) -> None:
        if not self._file.writable:
            raise ReadOnlyFile(self.path, "the memory is read-only: it can be searched, and nothing can be stored")

    def _write(self, write: Write[T]) -> T:
        self._must_be_writable()
        return self._writer.wait(write)

    def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        with self._reader() as db:
            return read(db)

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        """A connection that nobody else uses. It is kept for the next reader."""
        with told(self.path):
            try:
                db = self._readers.get_nowait()
            except queue.Empty:
                db = self._file.reader()
            try:
                yield db
            except sqlite3.DatabaseError:
                db.close()
                raise
            self._readers.put(db)
