"""The labelled set for search, what a search is worth on it, and the plain FTS5 that it is compared with."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

SET = Path(__file__).resolve().parents[1] / "memory" / "labelled"
TOP = 5
DEPTH = 10
"""Results that are asked for: a relevant one further down counts as not found."""

Search = Callable[[str, int], Sequence[str]]
"""The contents of the best entries for a query, best first, at most so many."""


@dataclass(frozen=True, slots=True)
class Memo:
    id: str
    tags: tuple[str, ...]
    content: str


@dataclass(frozen=True, slots=True)
class Query:
    kind: str
    text: str
    relevant: frozenset[str]


@dataclass(frozen=True, slots=True)
class Found:
    """What a search answered to one query: the ids, best first."""

    query: Query
    ids: tuple[str, ...]

    @property
    def recall(self) -> float:
        """The part of the relevant entries that is among the first five."""
        return len(self.query.relevant.intersection(self.ids[:TOP])) / len(self.query.relevant)

    @property
    def reciprocal_rank(self) -> float:
        """1 / the place of the first relevant entry; 0 where none was found."""
        return next((1 / place for place, found in enumerate(self.ids, 1) if found in self.query.relevant), 0.0)


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over some queries."""

    recall: float
    mrr: float
    queries: int

    @classmethod
    def of(cls, found: Iterable[Found]) -> Quality:
        every = list(found)
        return cls(fmean(one.recall for one in every), fmean(one.reciprocal_rank for one in every), len(every))


def memos() -> list[Memo]:
    return [
        Memo(line["id"], tuple(line["tags"]), line["content"])
        for path in sorted((SET / "memories").glob("*.jsonl"))
        for line in _lines(path)
    ]


def queries(name: str = "queries") -> list[Query]:
    """Those of this file: ``queries``, or ``later``, which a search must not be tuned on."""
    return [Query(line["kind"], line["query"], frozenset(line["relevant"])) for line in _lines(SET / f"{name}.jsonl")]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def answers(search: Search, asked: Iterable[Query] = ()) -> list[Found]:
    """What ``search`` answers to each of ``asked`` (else all of ``queries``), as ids: contents are unique."""
    ids = {memo.content: memo.id for memo in memos()}
    return [Found(query, tuple(ids[content] for content in search(query.text, DEPTH))) for query in asked or queries()]


def by_kind(found: Iterable[Found]) -> dict[str, Quality]:
    """The quality of each kind, in the order of the set."""
    kinds: dict[str, list[Found]] = {}
    for one in found:
        kinds.setdefault(one.query.kind, []).append(one)
    return {kind: Quality.of(those) for kind, those in kinds.items()}


class PlainIndex:
    """The floor: an FTS5 table as SQLite makes it (unicode61, bm25), asked for the words of the query."""

    def __init__(self, path: str = ":memory:", joined: str = "AND") -> None:
        self.joined = joined
        self.connection = sqlite3.connect(path)
        self.connection.execute("CREATE VIRTUAL TABLE IF NOT EXISTS plain USING fts5 (content, tags)")

    def add(self, rows: Iterable[tuple[str, Iterable[str]]]) -> None:
        """Store contents with their tags, in one transaction."""
        with self.connection:
            self.connection.executemany(
                "INSERT INTO plain (content, tags) VALUES (?, ?)", ((text, " ".join(tags)) for text, tags in rows)
            )

    def search(self, query: str, top: int) -> list[str]:
        words = f" {self.joined} ".join(f'"{word}"' for word in re.findall(r"\w+", query))
        found = self.connection.execute(
            "SELECT content FROM plain WHERE plain MATCH ? ORDER BY rank LIMIT ?", (words, top)
        )
        return [content for (content,) in found]

    def close(self) -> None:
        self.connection.close()


def plain(joined: str = "AND", asked: Iterable[Query] = ()) -> list[Found]:
    """What the floor answers; ``joined`` by OR it is what a search is that looks for any of the words."""
    index = PlainIndex(joined=joined)
    index.add((memo.content, memo.tags) for memo in memos())
    found = answers(index.search, asked)
    index.close()
    return found
