"""How well the memory finds: the labelled set, beside a plain FTS5 that is asked for all of the words."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.report import Row
from sympozium_memory.store import Memory
from tests.support.labelled import Found, Quality, answers, by_kind, memos, plain

RECALL, MRR = 0.88, 0.86
"""What tests/memory/test_labelled_search.py holds it to."""


def ours() -> list[Found]:
    with tempfile.TemporaryDirectory() as name, Memory.open(Path(name, "memory.db")) as memory:
        for done in [memory.submit(memo.content, tags=memo.tags, run="bench") for memo in memos()]:
            done.result()
        return answers(lambda query, top: [entry.content for entry in memory.search(query, top)])


def rows() -> list[Row]:
    found, floor, any_word = ours(), plain(), Quality.of(plain("OR"))
    kinds, floors = by_kind(found), by_kind(floor)
    best, least = Quality.of(found), Quality.of(floor)
    return [
        Row(f"memory: recall@5, {best.queries} queries", best.recall, "", RECALL, least.recall, at_least=True),
        Row("memory: MRR", best.mrr, "", MRR, least.mrr, at_least=True),
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
