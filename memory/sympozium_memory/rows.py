"""What is written to the tables and read from them: one function per statement of meaning, each within the
caller's transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sympozium_memory.entry import MAX_TAGS, TRUST, Entry, Stored, Trust
from sympozium_memory.faults import BadInput, WasRevoked
from sympozium_memory.words import indexed
from sympozium_protocol.clock import utc

COLUMNS = "id, content, tags, run, created, trust, digest, count"


@dataclass(frozen=True, slots=True)
class New:
    """What is to be stored. ``call`` tells a store that is done again from one more."""

    content: str
    digest: str
    tags: tuple[str, ...]
    run: str
    trust: Trust
    time: float
    call: str = ""


@dataclass(frozen=True, slots=True)
class Revoked:
    """What a revocation came to. ``kept``: of that run, but others said it as well."""

    revoked: tuple[Entry, ...]
    kept: tuple[Entry, ...] = ()


def entry_of(row: sqlite3.Row | tuple[object, ...], score: float = 0.0) -> Entry:
    found, content, tags, run, created, trust, digest, count = row
    return Entry(found, content, tuple(json.loads(tags)), run, created, trust, digest, count, score)  # type: ignore[arg-type]


def put(db: sqlite3.Connection, new: New) -> Stored:
    """Store it, or count it. Raises WasRevoked, BadInput (too many tags)."""
    row = db.execute(f"SELECT {COLUMNS} FROM entries WHERE digest = ?", (new.digest,)).fetchone()  # noqa: S608
    if row is None:
        return _add(db, new)
    entry = entry_of(row)
    if new.trust == "seed":  # said again by each run of the instance, which says nothing new
        return Stored(entry.id, False, entry.count)
    if not set(new.tags) <= set(entry.tags):
        tag(db, entry.id, new.tags)
    if _done_already(db, entry.id, new):
        return Stored(entry.id, False, entry.count)
    _note_store(db, entry.id, new)
    trust = max(entry.trust, new.trust, key=TRUST.__getitem__)
    db.execute("UPDATE entries SET count = count + 1, trust = ? WHERE id = ?", (trust, entry.id))
    return Stored(entry.id, False, entry.count + 1)


def _add(db: sqlite3.Connection, new: New) -> Stored:
    _heed_revocation(db, new)
    words = indexed(new.content, new.tags)
    tags = json.dumps(new.tags, ensure_ascii=False)
    done = db.execute(
        "INSERT INTO entries (content, tags, run, created, trust, digest, count, words) "
        "VALUES (?, ?, ?, ?, ?, ?, 1, ?)",
        (new.content, tags, new.run, new.time, new.trust, new.digest, words),
    )
    assert done.lastrowid is not None
    _note_store(db, done.lastrowid, new)
    db.executemany("INSERT INTO tagged (tag, entry) VALUES (?, ?)", [(tag, done.lastrowid) for tag in new.tags])
    return Stored(done.lastrowid, True, 1)


def revoked_at(db: sqlite3.Connection, digest: str) -> float | None:
    """When this content was revoked, if it still is."""
    row = db.execute("SELECT max(revoked) FROM revocations WHERE digest = ? AND lifted IS NULL", (digest,)).fetchone()
    return row[0] if row else None


def _heed_revocation(db: sqlite3.Connection, new: New) -> None:
    """What a person revoked comes back by a person's word alone."""
    if (when := revoked_at(db, new.digest)) is None:
        return
    if new.trust != "person":
        raise WasRevoked(f"exactly this was revoked by a person on {utc(when)}: it was not stored")
    db.execute("UPDATE revocations SET lifted = ? WHERE digest = ? AND lifted IS NULL", (new.time, new.digest))


def _done_already(db: sqlite3.Connection, entry: int, new: New) -> bool:
    """Is this the call that was counted last, done again after a crash?"""
    found = db.execute(
        "SELECT 1 FROM stores WHERE entry = ? AND run = ? AND trust = ? AND call = ? AND call <> ''",
        (entry, new.run, new.trust, new.call),
    )
    return found.fetchone() is not None


def _note_store(db: sqlite3.Connection, entry: int, new: New) -> None:
    db.execute(
        "INSERT INTO stores (entry, run, trust, first, last, count, call) VALUES (?, ?, ?, ?, ?, 1, ?) "
        "ON CONFLICT (entry, run, trust) DO UPDATE SET count = count + 1, last = excluded.last, call = excluded.call",
        (entry, new.run, new.trust, new.time, new.time, new.call),
    )


def tag(db: sqlite3.Connection, entry: int, more: Sequence[str]) -> None:
    """Add tags to an entry. Raises BadInput when they become too many."""
    content, text = db.execute("SELECT content, tags FROM entries WHERE id = ?", (entry,)).fetchone()
    tags = tuple(sorted({*json.loads(text), *more}))
    if len(tags) > MAX_TAGS:
        raise BadInput("tags", f"would become {len(tags)} on entry {entry}; an entry has at most {MAX_TAGS}")
    db.execute(
        "UPDATE entries SET tags = ?, words = ? WHERE id = ?",
        (json.dumps(tags, ensure_ascii=False), indexed(content, tags), entry),
    )
    db.executemany("INSERT OR IGNORE INTO tagged (tag, entry) VALUES (?, ?)", [(one, entry) for one in more])


def by_ids(db: sqlite3.Connection, ids: Iterable[int]) -> list[Entry]:
    """Those that are there, in the order asked for."""
    found = (db.execute(f"SELECT {COLUMNS} FROM entries WHERE id = ?", (one,)).fetchone() for one in ids)  # noqa: S608
    return [entry_of(row) for row in found if row]


def newest(
    db: sqlite3.Connection, tags: Sequence[str] = (), run: str | None = None, limit: int = 20, before: int | None = None
) -> list[Entry]:
    """Entries with all these tags, that this run stored: the newest first, from below the id ``before``."""
    where = ["id IN (SELECT entry FROM tagged WHERE tag = ?)"] * len(tags)
    values: list[object] = [*tags]
    if run is not None:
        where.append("id IN (SELECT entry FROM stores WHERE run = ?)")
        values.append(run)
    if before is not None:
        where.append("id < ?")
        values.append(before)
    words = f"WHERE {' AND '.join(where)}" if where else ""
    rows = db.execute(f"SELECT {COLUMNS} FROM entries {words} ORDER BY id DESC LIMIT ?", (*values, limit))  # noqa: S608
    return [entry_of(row) for row in rows]


def count(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM entries").fetchone()[0])


def revoke(db: sqlite3.Connection, entries: Iterable[Entry], person: str, reason: str, time: float) -> None:
    """Take entries out, and write down that it was done. Their content is gone from the tables."""
    for entry in entries:
        db.execute(
            "INSERT INTO revocations (digest, entry, run, trust, created, revoked, person, reason) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (entry.digest, entry.id, entry.run, entry.trust, entry.created, time, person, reason),
        )
        db.execute("DELETE FROM tagged WHERE entry = ?", (entry.id,))
        db.execute("DELETE FROM stores WHERE entry = ?", (entry.id,))
        db.execute("DELETE FROM entries WHERE id = ?", (entry.id,))


def revoke_run(db: sqlite3.Connection, run: str, person: str, reason: str, time: float) -> Revoked:
    """Take back what a run said. What others said as well stays, as theirs."""
    ids = [row[0] for row in db.execute("SELECT DISTINCT entry FROM stores WHERE run = ?", (run,))]
    others = {
        row[0]
        for row in db.execute(
            "SELECT entry FROM stores WHERE run <> ?1 AND entry IN (SELECT entry FROM stores WHERE run = ?1)", (run,)
        )
    }
    alone = by_ids(db, [one for one in ids if one not in others])
    revoke(db, alone, person, reason, time)
    for entry in (one for one in ids if one in others):
        db.execute("DELETE FROM stores WHERE entry = ? AND run = ?", (entry, run))
        settle(db, entry)
    return Revoked(tuple(alone), tuple(by_ids(db, [one for one in ids if one in others])))


def settle(db: sqlite3.Connection, entry: int) -> None:
    """Let an entry say what its stores say: who first, since when, how often, on whose word."""
    stores = db.execute("SELECT run, trust, first, count FROM stores WHERE entry = ?", (entry,)).fetchall()
    run, _, first, _ = min(stores, key=lambda store: (store[2], store[0]))
    trust = max((store[1] for store in stores), key=TRUST.__getitem__)
    db.execute(
        "UPDATE entries SET run = ?, created = ?, trust = ?, count = ? WHERE id = ?",
        (run, first, trust, sum(store[3] for store in stores), entry),
    )
