"""read_file: pages, blobs, binary files, and what is no file."""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from native_env import call, context, text

from sympozium_runner.native.read_file import PAGE, Page, show


def test_a_small_file_is_read_whole_and_without_any_remark(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hé\nthere\n")
    for path in ("a.txt", "/workspace/a.txt", "/workspace//a.txt", str(tmp_path / "a.txt")):
        assert text(call("read_file", context(tmp_path), path=path)) == "hé\nthere\n"


def test_a_page_ends_on_a_line_and_says_how_to_go_on(tmp_path: Path) -> None:
    whole = "".join(f"line {number}\n" for number in range(10_000))
    (tmp_path / "long").write_text(whole)
    env, read, offset = context(tmp_path), "", 0
    while offset < len(whole):
        page = call("read_file", env, path="long", offset=offset)
        body, _, footer = text(page).rpartition("\n[bytes ")
        assert body.endswith("\n")
        assert len(text(page)) < PAGE + 200
        assert f"{offset} to {page.details['next']} of {len(whole)}" in footer
        read, offset = read + body, int(page.details["next"])
    assert read == whole


def test_a_negative_offset_reads_the_end(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a\n" * 50_000 + "last\n")
    shown = text(call("read_file", context(tmp_path), path="log", offset=-5))
    assert shown.startswith("last\n")
    assert "the end" in shown


def test_an_offset_beyond_the_end_says_how_long_the_file_is(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("abc")
    assert "has 3 bytes" in text(call("read_file", context(tmp_path), path="log", offset=10))


@given(st.text(min_size=1, max_size=300).filter(lambda s: "\0" not in s), st.integers(4, 40))
def test_pages_of_any_text_join_to_the_text(whole: str, limit: int) -> None:
    data = whole.encode("utf-8", "replace")
    read, offset = b"", 0
    while offset < len(data):
        page = Page(data[:4096], data[offset : offset + limit + 1], offset, len(data))
        result = show("f", page, limit)
        if "binary" in text(result):
            return  # many characters that look like damage
        begin, end = result.details["offset"], result.details["next"]
        assert begin == offset < end
        read += data[begin:end]
        assert text(result).startswith(data[begin:end].decode())
        offset = end
    assert read == data


def test_a_blob_is_paged_by_its_digest(tmp_path: Path) -> None:
    blob = b"x" * 30_000
    env = context(tmp_path, blob)
    name = "blob:" + hashlib.sha256(blob).hexdigest()
    first = call("read_file", env, path=name)
    assert first.details == {"offset": 0, "next": PAGE, "size": 30_000}
    assert text(call("read_file", env, path=name, offset=PAGE)).startswith("x" * 10_000 + "\n[bytes")


def test_an_unknown_blob_and_a_wrong_name_are_said_to_be_so(tmp_path: Path) -> None:
    env = context(tmp_path)
    assert "no such blob" in text(call("read_file", env, path="blob:" + "0" * 64))
    assert call("read_file", env, path="blob:../x").outcome == "error"


def test_a_binary_file_is_named_with_kind_and_size(tmp_path: Path) -> None:
    (tmp_path / "z").write_bytes(gzip.compress(os.urandom(2000)))
    shown = text(call("read_file", context(tmp_path), path="z"))
    assert "gzip data" in shown
    assert f"{(tmp_path / 'z').stat().st_size} bytes" in shown
    (tmp_path / "n").write_bytes(b"text\0text")
    assert "binary" in text(call("read_file", context(tmp_path), path="n"))


def test_a_stray_byte_in_a_text_is_no_reason_to_hide_it(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"caf\xe9 and a long line of other things\n")
    assert "caf\ufffd and" in text(call("read_file", context(tmp_path), path="latin"))


def test_a_file_of_proc_is_read_though_it_claims_to_be_empty(tmp_path: Path) -> None:
    assert "Linux" in text(call("read_file", context(tmp_path), path="/proc/version"))


@pytest.mark.parametrize("path", ["/dev/zero", "fifo", "sub", "gone", "loop", "a\0b", "\ud800"])
def test_what_is_no_file_is_an_answer_and_blocks_nobody(tmp_path: Path, path: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "sub").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    result = call("read_file", context(tmp_path), path=path)
    assert result.outcome == "error"
    assert str(tmp_path) not in text(result)


def test_an_empty_file_is_said_to_be_empty() -> None:
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "e").touch()
        assert "is empty" in text(call("read_file", context(Path(directory)), path="e"))
