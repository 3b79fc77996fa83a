"""How well the memory finds: the labelled set, beside a plain FTS5 that is asked for all of the words."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.report import Row
from sympozium_memory.store import Memory
from tests.support.labelled import Found, Quality, answers, by_kind, memos, plain, queries

RECALL, MRR = 0.88, 0.86
"""What tests/memory/test_labelled_search.py holds it to."""


def ours() -> tuple[list[Found], list[Found]]:
    """What is found for the queries, and for those that the search was not made for."""
    with tempfile.TemporaryDirectory() as name, Memory.open(Path(name, "memory.db")) as memory:
        for done in [memory.submit(memo.content, tags=memo.tags, run="bench") for memo in memos()]:
            done.result()

        def search(query: str, top: int) -> list[str]:
            return [entry.content for entry in memory.search(query, top)]

        return answers(search), answers(search, queries("later"))


def rows() -> list[Row]:
    (found, later), floor, any_word = ours(), plain(), Quality.of(plain("OR"))
    kinds, floors = by_kind(found), by_kind(floor)
    best, least = Quality.of(found), Quality.of(floor)
    unseen, unseen_floor = Quality.of(later), Quality.of(plain(asked=queries("later")))
    return [
        Row(f"memory: recall@5, {best.queries} queries", best.recall, "", RECALL, least.recall, at_least=True),
        Row("memory: MRR", best.mrr, "", MRR, least.mrr, at_least=True),
        Row(f"  {unseen.queries} it was not made for: recall@5", unseen.recall, "", None, unseen_floor.recall),
        Row("  it was not made for: MRR", unseen.mrr, "", None, unseen_floor.mrr),
        Row("  recall@5 of plain FTS5, any of the words", any_word.recall, "", None, least.recall),
        Row("  MRR of plain FTS5, any of the words", any_word.mrr, "", None, least.mrr),
        *(
            row
            for kind, one in kinds.items()
            for row in (
                Row(f"  {kind} ({one.queries}): recall@5", one.recall, "", None, floors[kind].recall),
                Row(f"  {kind}: MRR", one.mrr, "", None, floors[kind].mrr),
            )
        ),
    ]
