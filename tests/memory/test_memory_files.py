"""The file: what it is to others, and what happens when it is damaged, foreign, newer, read-only or out of space."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sympozium_memory.faults import (
    Busy,
    CannotUse,
    CorruptFile,
    ForeignFile,
    NewerFile,
    NoSpace,
    ReadOnlyFile,
)
from sympozium_memory.file import APPLICATION, VERSION
from sympozium_memory.lock import Lock
from sympozium_memory.store import Memory
from sympozium_memory.writer import Writer

SQLITE_UTILS = Path(sys.executable).parent / "sqlite-utils"


def filled(path: Path, number: int = 200) -> Path:
    with Memory.open(path) as memory:
        for future in [memory.submit(f"fact {n} about service{n}: {'x' * 200}") for n in range(number)]:
            future.result()
    return path


def test_the_sqlite3_shell_and_sqlite_utils_open_the_file_while_it_is_in_use(memory: Memory, tmp_path: Path) -> None:
    memory.store("payments-api was crashing", tags=["a"], run="r1")
    query = "SELECT content FROM entries JOIN entries_fts f ON f.rowid = id WHERE entries_fts MATCH 'crash'"
    shell = subprocess.run(["sqlite3", memory.path, query], capture_output=True, text=True, check=True)
    assert shell.stdout == "payments-api was crashing\n"
    found = subprocess.run(
        [SQLITE_UTILS, "search", memory.path, "entries", "crashed", "-c", "content", "--csv"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.splitlines() == ["content", "payments-api was crashing"]


def test_who_writes_with_the_sqlite3_shell_keeps_the_index_right(memory: Memory) -> None:
    memory.store("old words")
    subprocess.run(["sqlite3", memory.path, "UPDATE entries SET words = 'new words'"], check=True)
    assert memory.search("new")
    assert not memory.search("old")
    assert memory.check() == ()


def test_a_file_is_known_by_its_application_id_and_its_version(memory: Memory) -> None:
    db = sqlite3.connect(memory.path)
    assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
    assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_a_newer_file_is_refused_by_name_and_left_as_it_is(tmp_path: Path) -> None:
    path = filled(tmp_path / "m.db", 1)
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(NewerFile, match=rf"m\.db: the memory's file has version {VERSION + 1}"):
        Memory.open(path)
    assert path.read_bytes() == before


def test_an_older_file_is_brought_forward_and_keeps_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next version of this program over a file of this one."""
    from sqlite_utils import Database

    from sympozium_memory import file, schema

    path = filled(tmp_path / "m.db", 3)

    def second(db: Database) -> None:
        db.execute("ALTER TABLE entries ADD COLUMN place TEXT NOT NULL DEFAULT ''")

    monkeypatch.setattr(schema.migrations, "_migrations", [*schema.migrations._migrations])
    schema.migrations(name="second")(second)
    monkeypatch.setattr(file, "VERSION", VERSION + 1)
    with Memory.open(path) as memory:
        assert memory.count() == 3
        assert memory.check() == ()
    assert sqlite3.connect(path).execute("SELECT DISTINCT place FROM entries").fetchall() == [("",)]
    monkeypatch.undo()
    with pytest.raises(NewerFile):
        Memory.open(path)


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlite_utils import Database

    from sympozium_memory import file, schema

    path = filled(tmp_path / "m.db", 3)

    def second(db: Database) -> None:
        db.execute("DROP TABLE tagged")
        db.execute("this is no SQL")

    with monkeypatch.context() as patch:
        patch.setattr(schema.migrations, "_migrations", [*schema.migrations._migrations])
        schema.migrations(name="second")(second)
        patch.setattr(file, "VERSION", VERSION + 1)
        with pytest.raises(CannotUse):
            Memory.open(path)
    with Memory.open(path) as memory:
        assert memory.check() == ()


def test_the_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE entries (id)")
    db.commit()
    db.close()
    before = path.read_bytes()
    with pytest.raises(ForeignFile, match="another program"):
        Memory.open(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [b"hello, world", b"SQLite format 3\0" + b"\xff" * 5000, os.urandom(8192)],
    ids=["text", "its first bytes alone", "noise"],
)
def test_what_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.db"
    path.write_bytes(content)
    with pytest.raises(CorruptFile, match=r"left as it (is|was)"):
        Memory.open(path)
    assert path.read_bytes() == content


def test_an_empty_file_is_a_new_memory_but_not_with_a_log_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    path.touch()
    with Memory.open(path) as memory:
        assert memory.store("x").added
    path.write_bytes(b"")
    log = path.with_name("m.db-wal")
    log.write_bytes(b"x" * 100)
    with pytest.raises(CorruptFile, match="write-ahead log"):
        Memory.open(path)
    assert (path.read_bytes(), log.read_bytes()) == (b"", b"x" * 100)


def damage(path: Path) -> bytes:
    """Every page but the first few is overwritten."""
    data = bytearray(path.read_bytes())
    data[3 * 4096 :] = b"\xa5" * (len(data) - 3 * 4096)
    path.write_bytes(data)
    return bytes(data)


def test_a_damaged_file_says_so_at_every_turn_and_is_not_written(tmp_path: Path) -> None:
    path = filled(tmp_path / "m.db")
    before = damage(path)
    with Memory.open(path) as memory:
        for turn in (
            lambda: memory.search("service7"),
            lambda: memory.store("something new"),
            lambda: memory.list(),
            lambda: memory.revoke(ids=[1]),
        ):
            with pytest.raises(CorruptFile, match="damaged"):
                turn()
    assert path.read_bytes() == before


def test_check_tells_a_damaged_index_from_a_sound_one(tmp_path: Path) -> None:
    path = filled(tmp_path / "m.db", 20)
    db = sqlite3.connect(path)
    db.execute("UPDATE entries SET count = 7 WHERE id = 3")
    db.execute("DELETE FROM entries_fts_data WHERE id > 10")
    db.commit()
    db.close()
    with Memory.open(path) as memory:
        faults = memory.check()
    assert any("counted otherwise" in fault for fault in faults)
    assert any("index" in fault for fault in faults)


def test_a_folder_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(CannotUse, match="folder that the memory is to be in is not there"):
        Memory.open(tmp_path / "nowhere" / "m.db")
    with pytest.raises(CannotUse, match="the memory's file is not a regular file"):
        Memory.open(tmp_path)


def test_a_read_only_memory_can_be_searched_and_says_that_it_stores_nothing(
    tmp_path: Path, volume: Callable[[str], Path]
) -> None:
    place = volume("size=4m")
    shutil.copy(filled(tmp_path / "m.db"), place / "m.db")
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    with Memory.open(place / "m.db") as memory:
        assert memory.search("service7")[0].content.startswith("fact 7 ")
        assert len(memory.list()) == 20
        with pytest.raises(ReadOnlyFile, match="read-only"):
            memory.store("x")
        assert memory.check() == ()
    with pytest.raises(ReadOnlyFile, match="no memory yet"):
        Memory.open(place / "other.db")


def test_a_full_disk_is_told_of_and_loses_nothing_that_was_stored(volume: Callable[[str], Path]) -> None:
    place = volume("size=1m")
    stored = []
    with Memory.open(place / "m.db") as memory:

        def fill() -> None:
            for number in range(1000):
                stored.append(memory.store(f"fact {number} {'y' * 2000}").id)

        with pytest.raises(NoSpace, match="disk is full"):
            fill()
        assert len(stored) > 20
        assert memory.count() == len(stored)
        assert memory.search("fact 3")
        with pytest.raises(NoSpace):
            memory.store("z" * 8000)
        subprocess.run(["mount", "-o", "remount,size=8m", str(place)], check=True)
        assert memory.store("there is room again").added
    with Memory.open(place / "m.db") as again:
        assert again.count() == len(stored) + 1
        assert again.check() == ()


def test_a_disk_that_is_full_from_the_first_is_told_of(volume: Callable[[str], Path]) -> None:
    place = volume("size=16k")
    (place / "filler").write_bytes(b"x" * 12_000)
    with pytest.raises((NoSpace, CannotUse)):
        Memory.open(place / "m.db")


def test_a_file_that_was_replaced_while_in_use_is_not_written_to_the_void(memory: Memory, tmp_path: Path) -> None:
    memory.store("one")
    memory.path.unlink()
    with pytest.raises(CannotUse, match="removed or replaced"):
        memory.store("two")


def test_a_program_that_does_not_let_go_is_waited_for_and_then_told_of(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.store("one")
    with Lock(memory.path):
        monkeypatch.setattr(Writer.wait, "__defaults__", (0.05,))
        with pytest.raises(Busy, match="nothing was stored"):
            memory.store("two")
    monkeypatch.undo()
    memory.store("three")
    assert [entry.content for entry in memory.list()] == ["three", "one"]


def test_the_sqlite3_shell_in_a_transaction_is_waited_for(memory: Memory) -> None:
    other = sqlite3.connect(memory.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    future = memory.submit("waiting")
    other.execute("COMMIT")
    assert future.result(10).added
    other.close()
