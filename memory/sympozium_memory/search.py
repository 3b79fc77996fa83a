"""Finding: SQLite brings the entries that may answer, the pure ``rank`` orders them.

What SQLite does for a common word costs as much as there are entries that hold it. So words are counted
first (and no further than it takes to know that they are common), those that are too common are left
out, and only rare ones are ranked by SQLite.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations, islice
from typing import Final

from sympozium_memory.entry import Entry
from sympozium_memory.query import Term, stems_of, terms_of
from sympozium_memory.rows import by_ids, newest

MAX_RESULTS: Final = 50
COUNT_TO: Final = 1_000
"""Entries up to which a word's are counted; with more it is common, whatever the memory's size."""

RANK_TO: Final = 1_500
"""Entries that SQLite may rank for one search: about two microseconds each."""

TOO_MANY: Final = 0.25
"""The share of all entries from which on a word tells too little to look for it."""

SMALL: Final = 40
"""Entries below which no word is too common: shares of few entries mean nothing."""

CANDIDATES: Final = 20
"""Entries that are weighed beyond ``top_k``: more rarely change the first five."""

MAX_ASKED: Final = 8
"""Combinations of common words that are tried."""

_STAND_BY: Final = 0.3
"""What two words side by side in question and entry add, of the rarer one's weight."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A term and how many entries hold it (``COUNT_TO``: that many or more)."""

    term: Term
    df: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry that may answer, as far as weighing it needs."""

    id: int
    created: float
    words: str


def search(db: sqlite3.Connection, question: str, top_k: int, tags: Sequence[str] = ()) -> list[Entry]:
    """The entries that answer best, best first. Raises sqlite3.Error."""
    top_k = max(0, min(top_k, MAX_RESULTS))
    terms = terms_of(question)
    if not terms:
        return newest(db, tags, limit=top_k) if tags else []
    size = _size(db)
    counted = telling([_count(db, term) for term in terms], size)
    ranked = rank(_candidates(db, counted, tags, top_k + CANDIDATES), counted, size, top_k)
    entries = {entry.id: entry for entry in by_ids(db, ranked)}
    return [replace(entries[one], score=score) for one, score in ranked.items() if one in entries]


def telling(counted: Sequence[Counted], size: int) -> list[Counted]:
    """The terms worth looking for: those that some entry holds, and not too many do. If all are common, all."""
    known = [one for one in counted if one.df]
    if size < SMALL:
        return known
    rare = [one for one in known if one.df < TOO_MANY * size]
    return rare or known


def _size(db: sqlite3.Connection) -> int:
    """About how many entries there are: a count would read them all."""
    return int(db.execute("SELECT coalesce(max(id), 0) FROM entries").fetchone()[0])


def _count(db: sqlite3.Connection, term: Term) -> Counted:
    """A word that no entry has is taken for the beginning of one."""
    df = _held_by(db, term)
    if df == 0:
        for begun in term.begun():
            if held := _held_by(db, begun):
                return Counted(begun, held)
    return Counted(term, df)


def _held_by(db: sqlite3.Connection, term: Term) -> int:
    sql = "SELECT count(*) FROM (SELECT 1 FROM entries_fts WHERE entries_fts MATCH ? LIMIT ?)"
    return int(db.execute(sql, (term.match, COUNT_TO)).fetchone()[0])


def _candidates(db: sqlite3.Connection, counted: Sequence[Counted], tags: Sequence[str], limit: int) -> list[Candidate]:
    """What may answer, from as few and as cheap questions to SQLite as will do."""
    rare, common = _split(counted)
    ids: list[int] = []
    if rare:
        any_rare = _any(rare)
        ids += _ask(db, any_rare, tags, "rank", limit)
        if common and len(ids) == limit:
            ids += _ask(db, f"({any_rare}) AND ({_any(common)})", tags, "rowid DESC", limit)
    ids += _with_most(db, common, tags, limit)
    return _fetch(db, list(dict.fromkeys(ids)))


def _with_most(db: sqlite3.Connection, common: Sequence[Counted], tags: Sequence[str], limit: int) -> list[int]:
    """The newest entries with all of these common words; while there are too few, with all but one, and so on."""
    ids: list[int] = []
    sizes = range(len(common), 0, -1)
    for some in islice(chain.from_iterable(combinations(common, size) for size in sizes), MAX_ASKED):
        ids += _ask(db, " AND ".join(f"({one.term.match})" for one in some), tags, "rowid DESC", limit)
        if len(ids) >= limit:
            break
    return ids


def _split(counted: Sequence[Counted]) -> tuple[list[Counted], list[Counted]]:
    """Those that SQLite may rank, the rarest first, and the rest."""
    rare: list[Counted] = []
    common: list[Counted] = []
    spent = 0
    for one in sorted(counted, key=lambda one: one.df):
        spent += one.df
        (rare if one.df < COUNT_TO and spent <= RANK_TO else common).append(one)
    return rare, common


def _any(counted: Sequence[Counted]) -> str:
    return " OR ".join(one.term.match for one in counted)


def _ask(db: sqlite3.Connection, match: str, tags: Sequence[str], order: str, limit: int) -> list[int]:
    tagged = " AND rowid IN (SELECT entry FROM tagged WHERE tag = ?)" * len(tags)
    sql = f"SELECT rowid FROM entries_fts WHERE entries_fts MATCH ?{tagged} ORDER BY {order} LIMIT ?"  # noqa: S608
    return [row[0] for row in db.execute(sql, (match, *tags, limit))]


def _fetch(db: sqlite3.Connection, ids: Sequence[int]) -> list[Candidate]:
    marks = ", ".join("?" * len(ids))
    rows = db.execute(f"SELECT id, created, words FROM entries WHERE id IN ({marks})", ids)  # noqa: S608
    return [Candidate(*row) for row in rows]


def rank(found: Sequence[Candidate], counted: Sequence[Counted], size: int, top_k: int) -> dict[int, float]:
    """The ids of the best and their scores: by how much of the question they answer, then the newer first. Pure.

    The score is the share of the question's weight that an entry answers, a word weighing the more the
    fewer entries hold it: 1 for an entry that has every word. It is rounded, so that a difference that
    means nothing does not outweigh age.
    """
    scale = _Scale(counted, size)
    scored = [(scale.weigh(stems_of(one.words)), one.created, one.id) for one in found]
    scored.sort(reverse=True)
    return {found_id: score for score, _, found_id in scored[:top_k]}


class _Scale:
    """What the terms of one question weigh, and where they are seen."""

    def __init__(self, counted: Sequence[Counted], size: int) -> None:
        wholes = {one.term.words for one in counted}
        self.terms = [
            (_weight(one, size, wholes), tuple((way.needle, way.weight) for way in one.term.ways)) for one in counted
        ]
        self.pairs = [
            (_STAND_BY * min(left[0], right[0]), left[1][0][0].rstrip() + right[1][0][0])
            for left, right in zip(self.terms, self.terms[1:], strict=False)
        ]
        self.whole = sum(weight for weight, _ in self.terms) or 1.0

    def weigh(self, stems: str) -> float:
        """Of an entry with these stems."""
        total = 0.0
        for weight, ways in self.terms:
            total += weight * max((worth for needle, worth in ways if needle in stems), default=0.0)
        total += sum(weight for weight, needle in self.pairs if needle in stems)
        length = 1.0 + 0.02 * math.log2(1 + stems.count(" "))
        return round(total / self.whole / length, 2)


def _weight(one: Counted, size: int, wholes: set[tuple[str, ...]]) -> float:
    """The rarer, the more; a part of a word that is put together weighs less, if the memory has the whole."""
    idf = math.log(1 + (max(size, one.df) - one.df + 0.5) / (one.df + 0.5))
    return max(idf, 0.05) * (0.4 if one.term.whole in wholes else 1.0)
