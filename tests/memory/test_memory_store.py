"""Storing, listing and revoking: what an entry carries, and what becomes of it."""

from __future__ import annotations

import hashlib
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sympozium_memory.entry import MAX_CONTENT, MAX_TAG, MAX_TAGS
from sympozium_memory.faults import BadInput, WasRevoked
from sympozium_memory.lock import Lock
from sympozium_memory.store import Memory

FACT = "payments-api was OOMKilled: its limit of 256Mi is too small"


def test_an_entry_carries_run_time_trust_tags_and_digest(memory: Memory) -> None:
    stored = memory.store(FACT, tags=["oom", "payments"], run="r1")
    (entry,) = memory.list()
    assert (entry.id, stored.added, entry.count) == (stored.id, True, 1)
    assert (entry.content, entry.tags, entry.run, entry.trust) == (FACT, ("oom", "payments"), "r1", "agent")
    assert entry.created == 1_790_000_001.0
    assert entry.digest == hashlib.sha256(FACT.encode()).hexdigest()


def test_the_same_content_again_is_counted_and_adds_no_second_entry(memory: Memory) -> None:
    first = memory.store(FACT, run="r1")
    again = memory.store(f"  {FACT}\n", run="r2")
    assert (again.id, again.added, again.count) == (first.id, False, 2)
    (entry,) = memory.list()
    assert (entry.run, entry.count) == ("r1", 2)
    assert [found.id for found in memory.list(run="r2")] == [first.id]


def test_a_call_that_is_done_again_after_a_crash_is_counted_once(memory: Memory) -> None:
    memory.store(FACT, run="r1", call="3-1")
    assert memory.store(FACT, run="r1", call="3-1").count == 1
    assert memory.store(FACT, run="r1", call="4-1").count == 2
    assert memory.store(FACT, run="r2", call="4-1").count == 3


def test_tags_of_a_further_store_are_added_and_the_entry_is_found_by_them(memory: Memory) -> None:
    memory.store(FACT, tags=["oom"])
    memory.store(FACT, tags=["Incident-42"])
    assert memory.list()[0].tags == ("incident-42", "oom")
    assert len(memory.list(tags=["oom", "incident-42"])) == 1
    assert len(memory.search("incident-42")) == 1
    assert memory.check() == ()


def test_a_persons_word_outweighs_an_agents_and_not_the_other_way_round(memory: Memory) -> None:
    memory.store(FACT)
    memory.store(FACT, trust="person")
    memory.store(FACT)
    assert (memory.list()[0].trust, memory.list()[0].count) == ("person", 3)


def test_a_seed_is_stored_once_however_often_a_run_begins(memory: Memory) -> None:
    assert memory.store("Track recurring issues", trust="seed").added
    again = memory.store("Track recurring issues", trust="seed")
    assert (again.added, again.count) == (False, 1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        (" \n\t", "is empty"),
        ("x" * (MAX_CONTENT + 1), "8001 characters"),
        ("a\0b", "NUL"),
        ("\ud800", "Unicode"),
    ],
    ids=["empty", "blank", "long", "NUL", "surrogate"],
)
def test_content_that_is_no_memory_is_refused_in_words(memory: Memory, content: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        memory.store(content)
    assert memory.count() == 0


@pytest.mark.parametrize(
    "tags",
    [
        [""],
        ["two words"],
        ["a,b"],
        ["-x"],
        ["x" * (MAX_TAG + 1)],
        ["a\n"],
        ["'"],
        [f"t{n}" for n in range(MAX_TAGS + 1)],
    ],
    ids=["empty", "blank", "comma", "dash", "long", "newline inside", "quote", "many"],
)
def test_bad_tags_are_refused_in_words(memory: Memory, tags: list[str]) -> None:
    if tags == ["a\n"]:
        tags = ["a\nb"]
    with pytest.raises(BadInput, match="tags"):
        memory.store(FACT, tags=tags)
    assert memory.count() == 0


def test_tags_that_become_too_many_by_a_further_store_are_refused_and_nothing_changes(memory: Memory) -> None:
    memory.store(FACT, tags=[f"t{n}" for n in range(MAX_TAGS)])
    with pytest.raises(BadInput, match="would become 17"):
        memory.store(FACT, tags=["more"])
    assert memory.list()[0].count == 1


def test_the_longest_content_is_kept_whole_and_found(memory: Memory) -> None:
    content = ("needle " + "hay " * MAX_CONTENT)[:MAX_CONTENT].strip()
    memory.store(content)
    assert memory.search("needle")[0].content == content


def test_a_list_is_the_newest_first_and_goes_on_where_it_stopped(memory: Memory) -> None:
    for number in range(5):
        memory.store(f"fact {number}", tags=["even"] if number % 2 == 0 else [])
    page = memory.list(limit=2)
    assert [entry.content for entry in page] == ["fact 4", "fact 3"]
    assert [entry.content for entry in memory.list(limit=2, before=page[-1].id)] == ["fact 2", "fact 1"]
    assert [entry.content for entry in memory.list(tags=["EVEN"])] == ["fact 4", "fact 2", "fact 0"]


def test_a_runs_memories_are_listed_and_revoked_together(memory: Memory) -> None:
    for run, fact in [("good", "a true fact"), ("bad", "a lie"), ("bad", "another lie")]:
        memory.store(fact, run=run)
    assert [entry.content for entry in memory.list(run="bad")] == ["another lie", "a lie"]
    done = memory.revoke(run="bad", person="ada", reason="was talked into it")
    assert [entry.content for entry in done.revoked] == ["a lie", "another lie"]
    assert [entry.content for entry in memory.list()] == ["a true fact"]
    assert memory.search("lie") == []
    assert memory.check() == ()


def test_a_revocation_is_written_down_and_the_content_is_gone_from_the_tables(memory: Memory, tmp_path: Path) -> None:
    stored = memory.store("the password is hunter2", run="r1", tags=["x"])
    memory.revoke(ids=[stored.id], person="ada", reason="a secret")
    shell = subprocess.run(
        ["sqlite3", tmp_path / "memory.db", "SELECT run, person, reason FROM revocations; .dump entries"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shell.stdout.splitlines()[0] == "r1|ada|a secret"
    assert "hunter2" not in shell.stdout


def test_what_another_run_said_as_well_outlives_the_revocation_of_the_first(memory: Memory) -> None:
    memory.store(FACT, run="bad", trust="agent")
    memory.store(FACT, run="good", trust="person")
    done = memory.revoke(run="bad")
    assert (done.revoked, [entry.run for entry in done.kept]) == ((), ["good"])
    (entry,) = memory.list()
    assert (entry.run, entry.trust, entry.count, entry.created) == ("good", "person", 1, 1_790_000_002.0)
    assert memory.list(run="bad") == []


def test_what_a_person_revoked_comes_back_by_a_persons_word_alone(memory: Memory) -> None:
    stored = memory.store(FACT)
    memory.revoke(ids=[stored.id])
    for trust in ("agent", "seed"):
        with pytest.raises(WasRevoked, match="revoked by a person on 2026-"):
            memory.store(FACT, trust=trust)  # type: ignore[arg-type]
    assert memory.store(FACT, trust="person").added
    assert memory.store(FACT, trust="agent").count == 2


def test_an_id_is_never_given_twice(memory: Memory) -> None:
    first = memory.store("one")
    memory.revoke(ids=[first.id])
    assert memory.store("two").id > first.id


def test_threads_share_one_memory(memory: Memory) -> None:
    with ThreadPoolExecutor(8) as pool:
        stored = list(pool.map(lambda number: memory.store(f"fact {number % 40}"), range(80)))
        found = list(pool.map(lambda number: memory.search(f"fact {number}", 1)[0].content, range(40)))
    assert sorted(one.count for one in stored) == [1] * 40 + [2] * 40
    assert found == [f"fact {number}" for number in range(40)]


def test_a_refused_write_does_not_undo_its_neighbours_in_the_same_commit(memory: Memory) -> None:
    revoked = memory.store("bad")
    memory.revoke(ids=[revoked.id])
    futures = [memory.submit(content) for content in ("one", "bad", "two", "bad", "three")]
    assert [future.exception() is None for future in futures] == [True, False, True, False, True]
    assert memory.count() == 3


def test_a_write_that_is_taken_back_before_its_turn_is_not_done(memory: Memory) -> None:
    memory.store("first")
    with Lock(memory.path):
        futures = [memory.submit(f"waiting {number}") for number in range(3)]
        assert [future.cancel() for future in futures] == [True] * 3
    memory.store("last")
    assert [entry.content for entry in memory.list()] == ["last", "first"]
