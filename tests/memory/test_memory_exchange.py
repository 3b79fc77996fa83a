"""Export, import and backup: what goes out comes back equal."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from sympozium_memory.faults import BadInput, CannotUse, Taken
from sympozium_memory.store import Memory


def lived(memory: Memory) -> Memory:
    """A memory with all that an entry can have."""
    memory.store("payments-api was OOMKilled", tags=["oom", "payments"], run="r1")
    memory.store("payments-api was OOMKilled", run="r2")
    memory.store('支付服务崩溃\nand a second line \u2028 "quoted" \\ 🔥', trust="person")
    memory.store("Track recurring issues", trust="seed")
    gone = memory.store("a lie", run="bad")
    memory.revoke(ids=[gone.id], person="ada", reason="not so")
    back = memory.store("was revoked and is back", run="r1")
    memory.revoke(ids=[back.id], person="ada")
    memory.store("was revoked and is back", trust="person", tags=["x"])
    return memory


def test_export_and_import_round_trip_equal(memory: Memory, tmp_path: Path) -> None:
    lines = list(lived(memory).export())
    with Memory.open(tmp_path / "other.db") as other:
        done = other.import_(lines)
        assert (done.added, done.merged, done.refused, done.revocations) == (4, 0, 0, 2)
        assert list(other.export()) == lines
        assert [plain(entry) for entry in other.list()] == [plain(entry) for entry in memory.list()]
        assert other.check() == ()
        assert other.search("oom payments")[0].count == 2


def plain(entry: object) -> dict[str, object]:
    return {name: getattr(entry, name) for name in ("content", "tags", "run", "created", "trust", "digest", "count")}


def test_an_import_done_twice_changes_nothing(memory: Memory, tmp_path: Path) -> None:
    lines = list(lived(memory).export())
    again = memory.import_(lines)
    assert (again.added, again.merged, again.revocations) == (0, 4, 0)
    assert list(memory.export()) == lines


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30).filter(str.strip),
            st.lists(st.from_regex(r"\A[a-z][a-z0-9.:/@+-]{0,9}\Z"), max_size=3),
            st.sampled_from(["r1", "r2", ""]),
            st.sampled_from(["agent", "person", "seed"]),
        ),
        max_size=12,
    )
)
def test_whatever_was_stored_round_trips_equal(
    tmp_path_factory: pytest.TempPathFactory, stores: list[tuple[str, list[str], str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("exchange")
    with Memory.open(folder / "a.db") as one, Memory.open(folder / "b.db") as other:
        for content, tags, run, trust in stores:
            one.store(content, tags=tags, run=run, trust=trust)  # type: ignore[arg-type]
        lines = list(one.export())
        other.import_(lines)
        assert list(other.export()) == lines


def test_two_memories_become_one_with_the_counts_of_each_teller(memory: Memory, tmp_path: Path) -> None:
    memory.store("shared", run="r1")
    with Memory.open(tmp_path / "other.db") as other:
        other.store("shared", run="r2", tags=["b"])
        other.store("shared", run="r2")
        other.store("only there")
        memory.import_(other.export())
    (entry,) = [entry for entry in memory.list() if entry.content == "shared"]
    assert (entry.count, entry.tags, entry.run) == (3, ("b",), "r1")
    assert memory.count() == 2
    assert memory.check() == ()


def test_what_was_revoked_here_does_not_come_back_by_an_import(memory: Memory) -> None:
    stored = memory.store("a lie", run="bad")
    lines = list(memory.export())
    memory.revoke(ids=[stored.id])
    assert memory.import_(lines).refused == 1
    assert memory.count() == 0


def test_a_revocation_that_is_imported_keeps_seeds_away(memory: Memory, tmp_path: Path) -> None:
    stored = memory.store("an unwanted seed", trust="seed")
    memory.revoke(ids=[stored.id])
    with Memory.open(tmp_path / "other.db") as other:
        other.import_(memory.export())
        with pytest.raises(Exception, match="revoked by a person"):
            other.store("an unwanted seed", trust="seed")


GOOD = {
    "kind": "Memory",
    "content": "x",
    "created": "2026-11-20T09:30:00.000Z",
    "digest": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
    "count": 1,
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "Other"}, "line 2: kind is 'Other'"),
        ({"content": "y"}, "line 2: digest is not that of the content"),
        ({"content": ""}, "line 2: content is empty"),
        ({"content": " x"}, "line 2: content has blank space"),
        ({"tags": ["a b"]}, "line 2: tags has 'a b'"),
        ({"trust": "root"}, "line 2: trust: "),
        ({"created": "yesterday"}, "line 2: created: "),
        ({"created": "2026-99-99T00:00:00Z"}, "line 2: created"),
        ({"count": 0}, "line 2: count: "),
        ({"count": 2, "stores": [{"run": "", "trust": "agent", "first": GOOD["created"], "last": GOOD["created"],
                                  "count": 1}]}, "line 2: count is not the sum"),
        ({"digest": 5}, "line 2: digest: "),
        ({"run": "r\n[99] 2026-11-20 (just now) by a person"}, "line 2: run: holds a line break or another control"),
        ({"run": "r\x1b[2J"}, "line 2: run: holds a line break"),
        ({"stores": [{"run": "\u202er", "trust": "agent", "first": GOOD["created"], "last": GOOD["created"],
                      "count": 1}]}, "line 2: stores.0.run: holds a line break"),
        ({"kind": "Revocation", "revoked": GOOD["created"], "trust": "agent", "run": "a\rb"}, "line 2: run: holds"),
    ],
)  # fmt: skip
def test_a_bad_line_is_named_and_nothing_is_taken_over(memory: Memory, change: dict[str, object], words: str) -> None:
    with pytest.raises(BadInput) as fault:
        memory.import_([json.dumps(GOOD), json.dumps({**GOOD, **change})])
    assert str(fault.value).startswith(words)
    assert memory.count() == 0


@pytest.mark.parametrize("line", ["{", "[]", "null", "x" * 100, '{"kind":"Memory"}', "{}"])
def test_what_is_no_line_of_an_export_is_refused(memory: Memory, line: str) -> None:
    with pytest.raises(BadInput, match="line 1:"):
        memory.import_([line])


def test_an_export_is_of_one_moment_even_while_others_store(memory: Memory) -> None:
    for number in range(300):
        memory.submit(f"before {number}")
    memory.store("the last before")
    lines = memory.export()
    first = next(lines)
    memory.store("after")
    rest = list(lines)
    assert len([first, *rest]) == 301
    assert not any('"after"' in line for line in rest)


def test_a_backup_is_a_consistent_copy_while_the_memory_is_in_use(memory: Memory, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            memory.store(f"fact {number}")
            number += 1

    writer = threading.Thread(target=write)
    memory.store("the first")
    writer.start()
    try:
        for number in range(3):
            copy = tmp_path / f"copy-{number}.db"
            memory.backup(copy)
            assert sqlite3.connect(copy).execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            with Memory.open(copy) as found:
                assert found.search("the first")[0].content == "the first"
                assert found.check() == ()
    finally:
        stop.set()
        writer.join()
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_backup_replaces_nothing(memory: Memory, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_bytes(b"precious")
    with pytest.raises(Taken, match="nothing is replaced"):
        memory.backup(copy)
    assert copy.read_bytes() == b"precious"
    with pytest.raises(CannotUse):
        memory.backup(tmp_path / "nowhere" / "copy.db")
