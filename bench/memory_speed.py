"""Storing and searching with many entries, beside a plain INSERT and a plain FTS5 on the same file system.

``BENCH_MEMORY_ENTRIES`` says with how many (default ``100000,1000000``; to build a million takes minutes and some GB).
What was built is kept under build/ (``BENCH_CACHE``) for the next time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.memory_text import EDITION, SEED, Author, entries, questions
from bench.report import Row, p50, p99
from sympozium_memory import rows as tables, schema, words
from sympozium_memory.entry import clean_tags, digest_of
from sympozium_memory.file import File
from sympozium_memory.store import Memory
from tests.support.labelled import PlainIndex

CACHE = Path(os.environ.get("BENCH_CACHE", Path(__file__).resolve().parents[1] / "build" / "bench-memory"))
STORES = 300
TOP = 5
WARMING = 40
"""Searches that are not measured: the file's pages and the connection are there then, as in a memory in use."""

AT_100K = 100_000
TOGETHER = 5_000
"""Entries of one commit while building."""


def sizes() -> list[int]:
    return [int(size) for size in os.environ.get("BENCH_MEMORY_ENTRIES", "100000,1000000").split(",") if size]


def memory_of(count: int) -> Path:
    """A memory of so many entries, built unless it is there already for the same texts and tables."""
    sources = b"".join(Path(str(module.__file__)).read_bytes() for module in (schema, words))
    return _built(f"memory-{count}-{EDITION}-{hashlib.sha256(sources).hexdigest()[:12]}.db", count, _fill_memory)


def plain_of(count: int) -> Path:
    return _built(f"plain-{count}-{EDITION}.db", count, _fill_plain)


def _built(name: str, count: int, fill: Callable[[Path, int], None]) -> Path:
    path = CACHE / name
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        for old in CACHE.glob(f"{name.partition('-')[0]}-{count}-*"):
            old.unlink()
        print(f"  building {path.name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as aside:
            fill(Path(aside, "made.db"), count)
            Path(aside, "made.db").rename(path)
    return path


def _fill_memory(path: Path, count: int) -> None:
    """As a million stores leave it, through the same function, with a commit for many."""
    db = File.open(path).writer()
    db.execute("PRAGMA synchronous = OFF")
    db.execute("BEGIN")
    for number, (content, tags) in enumerate(entries(count)):
        run, made = f"run-{number // 50}", 1.6e9 + number * 60
        tables.put(db, tables.New(content, digest_of(content), clean_tags(tags), run, "agent", made))
        if number % TOGETHER == TOGETHER - 1:
            db.execute("COMMIT")
            db.execute("BEGIN")
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def _fill_plain(path: Path, count: int) -> None:
    index = PlainIndex(str(path))
    index.connection.execute("PRAGMA journal_mode = WAL")
    index.add(entries(count))
    index.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    index.close()


def _searches(search: Callable[[str, int], object]) -> list[float]:
    """Milliseconds of each question, asked once each, after a few that are not measured."""
    asked = questions()
    for question in asked[:WARMING]:
        search(question, TOP)
    return [_timed(lambda question=question: search(question, TOP)) for question in asked[WARMING:]]  # type: ignore[misc]


def _timed(act: Callable[[], object]) -> float:
    begin = time.perf_counter()
    act()
    return (time.perf_counter() - begin) * 1e3


def _fresh() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Entries that no built memory has."""
    author = Author(SEED + 2)
    while True:
        content, tags = author.entry()
        yield f"{content} {time.time_ns()}", tags


def stores(path: Path) -> list[float]:
    """Milliseconds of storing one new entry, each waited for."""
    fresh = _fresh()
    with Memory.open(path) as memory:
        memory.store("The first opens the connection.")
        made = [next(fresh) for _ in range(STORES)]
        return [_timed(lambda one=one: memory.store(one[0], tags=one[1], run="bench")) for one in made]  # type: ignore[misc]


def inserts(path: Path) -> list[float]:
    """Milliseconds of one INSERT and its commit into a table without index, with the same pragmas."""
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL"):
        db.execute(f"PRAGMA {pragma}")
    db.execute("CREATE TABLE entries (id INTEGER PRIMARY KEY, content TEXT, tags TEXT)")
    fresh = _fresh()
    made = [next(fresh) for _ in range(STORES + 1)]
    insert = "INSERT INTO entries (content, tags) VALUES (?, ?)"
    found = [_timed(lambda one=one: db.execute(insert, (one[0], " ".join(one[1])))) for one in made]  # type: ignore[misc]
    db.close()
    return found[1:]


def _storing(count: int) -> list[Row]:
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        path = Path(name, "memory.db")
        shutil.copyfile(memory_of(count), path)
        took, floor = stores(path), inserts(Path(name, "plain.db"))
    target = 3.0 if count <= AT_100K else None
    return [
        Row(f"memory of {count:,}: store, p50", p50(took), "ms", target, p50(floor)),
        Row(f"memory of {count:,}: store, p99", p99(took), "ms", None, p99(floor)),
    ]


def _searching(count: int) -> list[Row]:
    with Memory.open(memory_of(count)) as memory:
        took = _searches(memory.search)
    index = PlainIndex(str(plain_of(count)))
    floor = _searches(index.search)
    index.close()
    half, most = (5.0, 25.0) if count <= AT_100K else (15.0, None)
    return [
        Row(f"memory of {count:,}: search, p50", p50(took), "ms", half, p50(floor)),
        Row(f"memory of {count:,}: search, p99", p99(took), "ms", most, p99(floor)),
        Row(f"memory of {count:,}: search, slowest", max(took), "ms", None, max(floor)),
    ]


def rows() -> Iterator[Row]:
    for count in sizes():
        yield from _storing(count)
        yield from _searching(count)
