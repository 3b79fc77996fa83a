"""A copy of the file while it is in use, and whether a file is sound."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sympozium_memory.faults import CannotUse, Taken
from sympozium_memory.file import told


def backup(db: sqlite3.Connection, path: Path) -> None:
    """Make ``path``, whole or not at all, never replacing. Raises FileFault."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.exists():
            raise Taken(path, "is there already: nothing is replaced")
        with told(path), closing(sqlite3.connect(aside, isolation_level=None)) as copy:
            db.backup(copy)
            # a file by itself: whoever opens it need not be able to write beside it
            copy.execute("PRAGMA journal_mode = DELETE")
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        os.link(aside, path)
    except OSError as error:
        raise CannotUse(path, f"the copy cannot be written ({error.strerror})") from None
    finally:
        for end in ("", "-journal", "-wal", "-shm"):
            with suppress(OSError):
                aside.with_name(aside.name + end).unlink()


def faults(db: sqlite3.Connection) -> list[str]:
    """What is wrong with the file and between its tables."""
    found = [row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
    found += [f"entry {row[2]} of {row[0]} is missing from {row[3]}" for row in db.execute("PRAGMA foreign_key_check")]
    counts = "SELECT count(*) FROM entries WHERE count <> (SELECT sum(count) FROM stores WHERE entry = entries.id)"
    if wrong := db.execute(counts).fetchone()[0]:
        found.append(f"{wrong} entries are counted otherwise than their stores")
    return found


def faults_of_index(db: sqlite3.Connection) -> list[str]:
    """What is wrong between the index and the entries. FTS5 tells only who may write, though nothing is written."""
    try:
        db.execute("INSERT INTO entries_fts (entries_fts, rank) VALUES ('integrity-check', 1)")
    except sqlite3.DatabaseError as error:
        return [f"the index does not agree with the entries ({error})"]
    return []
