"""list_directory: names, kinds, sizes; bounded."""

from __future__ import annotations

import os
from pathlib import Path

from native_env import call, context, text


def test_entries_come_sorted_with_kind_and_size(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a").write_text("12345")
    (tmp_path / "c").symlink_to("a")
    os.mkfifo(tmp_path / "d")
    lines = [line.split() for line in text(call("list_directory", context(tmp_path))).splitlines()]
    assert lines == [["file", "5", "a"], ["directory", "-", "b/"], ["link", "-", "c", "->", "a"], ["special", "-", "d"]]


def test_a_strange_name_stays_on_its_line(tmp_path: Path) -> None:
    (tmp_path / "x\nfile 3 y\x1b[2J").touch()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).touch()
    lines = text(call("list_directory", context(tmp_path))).splitlines()
    assert len(lines) == 2
    assert "x\\nfile 3 y\\x1b[2J" in lines[0]
    assert lines[1].endswith("\\xff")


def test_a_large_directory_is_cut_and_says_so(tmp_path: Path) -> None:
    for number in range(501):
        (tmp_path / f"{number:04}").touch()
    result = call("list_directory", context(tmp_path), path="/workspace")
    assert "500 of 501 entries" in text(result)
    assert len(text(result).splitlines()) == 501


def test_what_is_no_directory_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is not a directory" in text(call("list_directory", context(tmp_path), path="file"))
    assert "no such file" in text(call("list_directory", context(tmp_path), path="gone"))


def test_an_empty_directory_is_said_to_be_empty(tmp_path: Path) -> None:
    assert "is empty" in text(call("list_directory", context(tmp_path)))
