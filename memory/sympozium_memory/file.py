"""Opening the one file of a memory: what it is, whether this program may use it, and its connections."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sympozium_memory.faults import (
    Busy,
    CannotUse,
    CorruptFile,
    FileFault,
    ForeignFile,
    MemoryFault,
    NewerFile,
    NoSpace,
    ReadOnlyFile,
)
from sympozium_memory.lock import Lock
from sympozium_protocol.failpoints import failpoint

APPLICATION: Final = 0x53794D65
"""``PRAGMA application_id`` of a memory: file(1) and this program know it by that."""

VERSION: Final = 1
"""``PRAGMA user_version``: the schema that this program writes."""

_MAGIC: Final = b"SQLite format 3\0"
_PATIENCE: Final = 10.0
"""Seconds for which a program that holds the file without our lock (the sqlite3 shell) is waited for."""

_CACHE: Final = 512
"""KiB of pages that a connection keeps: the system has them too, and keeps them once for all connections."""

_WAL_LIMIT: Final = 64 << 20
"""Bytes that the write-ahead log is cut to when it has grown beyond (a long reader, a big import)."""


class File:
    """The file, found usable. ``writable`` is what it was when opened."""

    def __init__(self, path: Path, *, writable: bool, immutable: bool = False) -> None:
        self.path = path
        self.writable = writable
        self.immutable = immutable
        self.identity = _identity(path)

    @classmethod
    def open(cls, path: Path) -> File:
        """Make the file or bring it forward, if need be. Raises FileFault."""
        _look_at(path)
        with told(path):
            if not _can_write(path):
                return _open_read_only(path)
            _make_ready(path)
        return cls(path, writable=True)

    def reader(self) -> sqlite3.Connection:
        """A connection that only reads. Raises sqlite3.Error."""
        if self.immutable:
            return _connect(self.path, "mode=ro&immutable=1")
        connection = _connect(self.path, "mode=rw" if self.writable else "mode=ro")
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE}")
        return connection

    def writer(self) -> sqlite3.Connection:
        """The connection that writes: a commit is on the disk when it returns. Raises sqlite3.Error."""
        connection = _connect(self.path, "mode=rw")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE}")
        return connection

    def check_same(self) -> None:
        """Raises CannotUse when another file, or none, has taken this one's place: what went to the old is lost."""
        if _identity(self.path) != self.identity:
            raise CannotUse(self.path, "the memory's file was removed or replaced while it was in use")


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Say in our words what SQLite says in its own. Raises MemoryFault."""
    try:
        yield
    except sqlite3.Error as error:
        raise _fault(path, error) from None


def _fault(path: Path, error: sqlite3.Error) -> MemoryFault:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    match code:
        case sqlite3.SQLITE_FULL:
            return NoSpace(path, "the memory's disk is full: nothing was stored, and nothing that was stored is lost")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return ReadOnlyFile(path, "the memory is read-only: it can be searched, and nothing can be stored")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return CorruptFile(path, f"the memory's file is damaged ({error}); it was left as it is")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Busy("the memory is in use by another program, which did not let go: nothing was stored; try again")
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_AUTH:
            return CannotUse(path, f"the memory's file cannot be used ({error})")
    if "no such table" in str(error) or "no such column" in str(error):
        return CorruptFile(path, f"the memory's file is damaged ({error}); it was left as it is")
    return CannotUse(path, f"the memory's file cannot be used ({error})")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _look_at(path: Path) -> None:
    """What SQLite would write over or wait at. Raises FileFault."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise CannotUse(path, "the memory's file is not a regular file")
        with path.open("rb") as file:
            begins = file.read(len(_MAGIC))
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise CannotUse(path, "the folder that the memory is to be in is not there") from None
        return
    except OSError as error:
        raise CannotUse(path, f"the memory's file cannot be read ({error.strerror})") from None
    if begins and begins != _MAGIC:
        raise CorruptFile(path, "the memory's file is not an SQLite database; it was left as it is")
    log = path.with_name(path.name + "-wal")
    if not begins and log.exists() and log.stat().st_size:
        # SQLite would take it for new and remove the log, with all that is in it
        raise CorruptFile(path, "the memory's file is empty but has a write-ahead log; it was left as it is")


def _can_write(path: Path) -> bool:
    """Both the file and its folder, where the log is: asked of the system, which knows of read-only volumes."""
    if path.exists() and not os.access(path, os.W_OK):
        return False
    return os.access(path.parent, os.W_OK)


def _open_read_only(path: Path) -> File:
    if not path.exists():
        raise ReadOnlyFile(path, "there is no memory yet, and none can be made: the folder is read-only")
    log, shared = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    immutable = not shared.exists() and not (log.exists() and log.stat().st_size)
    file = File(path, writable=False, immutable=immutable)
    connection = file.reader()
    try:
        version = _version(connection, path)
    finally:
        connection.close()
    if version < VERSION:
        raise ReadOnlyFile(path, "is of an older version and read-only: open it once where it can be written")
    return file


def _make_ready(path: Path) -> None:
    connection = _connect(path, "mode=rwc")
    try:
        if _version(connection, path) == VERSION:
            return
        with closing(Lock(path)) as lock, lock:
            _bring_forward(connection, path)
    finally:
        connection.close()


def _bring_forward(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise CannotUse(path, "the memory's file system does not allow a write-ahead log")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _version(connection, path) < VERSION:  # another program may have been first
            from sympozium_memory.schema import migrate

            migrate(connection)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            failpoint("memory-made")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of its schema, 0 for a new file. Raises ForeignFile, NewerFile."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION and (application or version or tables):
        raise ForeignFile(path, "is the database of another program, not a memory; it was left as it is")
    if version > VERSION:
        raise NewerFile(
            path,
            f"the memory's file has version {version} and this program knows versions up to {VERSION}: "
            "it was written by a newer one, and was left as it is",
        )
    return int(version)


def _connect(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(os.fspath(path))}?{how}",
        uri=True,
        isolation_level=None,
        timeout=_PATIENCE,
        check_same_thread=False,
        cached_statements=256,
    )


__all__ = ["APPLICATION", "VERSION", "File", "FileFault", "told"]
