"""Guarded read and atomic write: nothing that another program puts there blocks, misleads or is taken for content."""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from sympozium_protocol import files
from sympozium_protocol.durable import sync_together
from sympozium_protocol.files import BadFile, CannotWrite, Directory, DiskFull, Exists, digest, open_root
from sympozium_protocol.ledger import Ledger, OverLimit
from sympozium_protocol.messages import InvalidDocument, Verdict

ROOT = os.geteuid() == 0


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Directory]:
    with open_root(tmp_path) as found:
        yield found


def test_what_is_not_there_is_none(here: Directory) -> None:
    assert here.read("1.json") is None
    assert here.touched("alive") is None
    assert not here.has("1.json")


def test_a_fifo_does_not_block_and_is_refused(here: Directory, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    with pytest.raises(BadFile, match="x: is a FIFO"):
        here.read("x")


def test_a_symbolic_link_is_refused_wherever_it_leads(here: Directory, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("content")
    for target in ("real", "nowhere", "/etc/passwd", "x"):
        (tmp_path / "x").unlink(missing_ok=True)
        (tmp_path / "x").symlink_to(target)
        assert here.has("x")
        with pytest.raises(BadFile, match="x: is a symbolic link"):
            here.read("x")


@pytest.mark.parametrize("depth", [0, 1])
def test_a_directory_reached_through_a_link_is_refused(here: Directory, tmp_path: Path, depth: int) -> None:
    (tmp_path / "real" / "b").mkdir(parents=True)
    if depth:
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "b").symlink_to(tmp_path / "real" / "b")
    else:
        (tmp_path / "a").symlink_to("real")
    for way in (here.open, here.make):
        with pytest.raises(BadFile, match="a/b: is not" if depth else "a: is not"):
            way(("a", "b"))


def test_refused_directories_leave_no_descriptor_open(here: Directory, tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("/")
    before = len(os.listdir("/proc/self/fd"))
    for way in (here.open, here.make):
        for place in (("a",), ("b", "a"), ("missing", "x")):
            try:
                way(place).close()
            except BadFile:
                pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_directory_an_empty_file_a_socket_and_a_device_are_refused(here: Directory, tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "empty").touch()
    listener = socket.socket(socket.AF_UNIX)
    old = os.getcwd()
    os.chdir(tmp_path)
    listener.bind("socket")
    os.chdir(old)
    for name, why in (("directory", "is a directory"), ("empty", "is empty"), ("socket", "socket: ")):
        with pytest.raises(BadFile, match=why):
            here.read(name)
    listener.close()
    with open_root("/dev") as devices, pytest.raises(BadFile, match="is a device"):
        devices.read("zero")


def test_the_largest_file_is_read_and_one_byte_more_is_not(here: Directory, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x" * files.MAX_FILE)
    assert len(here.read("x") or b"") == files.MAX_FILE
    (tmp_path / "x").write_bytes(b"x" * (files.MAX_FILE + 1))
    with pytest.raises(BadFile, match="1048577 bytes; at most 1048576"):
        here.read("x")


@pytest.mark.parametrize("data", [b"\xff\xfe", b'{"kind":"Verd', b"\0" * 100, b"[" * 100_000])
def test_bytes_that_are_no_document_are_read_and_then_refused_with_a_reason(here: Directory, data: bytes) -> None:
    here.write("x", data)
    with pytest.raises(InvalidDocument, match="not a valid Verdict"):
        Verdict.decode(here.read("x") or b"")


def test_a_file_appears_whole_and_is_never_replaced(here: Directory) -> None:
    here.write("1.json", b"first")
    with pytest.raises(Exists, match=r"1\.json: is there already"):
        here.write("1.json", b"second")
    assert here.read("1.json") == b"first"
    assert here.names() == ["1.json"]
    assert os.listdir(here.fd) == ["1.json"]


def test_of_many_writers_of_one_name_exactly_one_wins(tmp_path: Path) -> None:
    program = (
        "import sys; from sympozium_protocol.files import *\n"
        "try: open_root(sys.argv[1]).write('1.json', sys.argv[2].encode())\n"
        "except Exists: sys.exit(3)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), str(n)]) for n in range(6)]
    codes = [writer.wait() for writer in writers]
    assert sorted(codes) == [0, 3, 3, 3, 3, 3]
    assert (tmp_path / "1.json").read_text() == str(codes.index(0))


def test_where_renaming_cannot_refuse_to_replace_a_link_does(here: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        def renameat2(self, *_: object) -> int:
            files.ctypes.set_errno(errno.EINVAL)
            return -1

    monkeypatch.setattr(files, "_libc", Old())
    here.write("1.json", b"first", durable=True)
    with pytest.raises(Exists):
        here.write("1.json", b"second")
    assert here.read("1.json") == b"first"
    assert os.listdir(here.fd) == ["1.json"]


def test_dot_names_are_not_listed(here: Directory, tmp_path: Path) -> None:
    for name in (".1.json", ".", "..", ".1.json.77"):
        if name.strip("."):
            (tmp_path / name).write_text("half")
    assert here.names() == []


def test_a_reader_during_writes_sees_nothing_or_everything(here: Directory) -> None:
    size = 300_000
    stop = threading.Event()
    seen: list[int] = []

    def read() -> None:
        number = 1
        while not stop.is_set() or here.has(f"{number}.json"):
            data = here.read(f"{number}.json")
            if data is not None:
                seen.append(len(data))
                number += 1

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 40):
        here.write(f"{number}.json", b"x" * size)
    stop.set()
    reader.join()
    assert seen == [size] * 39


def test_marks_touches_and_removals_may_be_repeated(here: Directory) -> None:
    for _ in range(2):
        here.mark("1-1")
        here.touch("alive")
    assert sorted(here.names()) == ["1-1", "alive"]
    for _ in range(2):
        here.remove("1-1")
    assert here.names() == ["alive"]


def test_touch_does_not_follow_a_link(here: Directory, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.touch()
    os.utime(target, (1, 1))
    (tmp_path / "alive").symlink_to(target)
    here.touch("alive")
    assert target.stat().st_mtime == 1


def test_a_blob_is_checked_against_its_name(here: Directory, tmp_path: Path) -> None:
    name = here.put_blob(b"body")
    assert here.put_blob(b"body") == name
    assert here.get_blob(name) == b"body"
    (tmp_path / name).write_bytes(b"another")
    with pytest.raises(BadFile, match="is not what its name says"):
        here.get_blob(name)
    with pytest.raises(BadFile, match="is no digest"):
        here.get_blob("../../etc/passwd")
    assert here.get_blob("0" * 64) is None


@contextmanager
def tiny(path: Path) -> Iterator[Path]:
    """A full file system: a small tmpfs."""
    if (
        not ROOT
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=16", "none", str(path)], check=False, capture_output=True
        ).returncode
    ):
        pytest.skip("may not mount")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.parametrize("lacking", ["space", "inodes"])
def test_a_full_disk_is_typed_and_leaves_nothing_half_written(tmp_path: Path, lacking: str) -> None:
    with tiny(tmp_path), open_root(tmp_path) as here:
        body = b"x" * 20_000 if lacking == "space" else b"x"

        def fill() -> None:
            for number in range(100):
                here.write(f"{number}.json", body)

        with pytest.raises(DiskFull, match="no space left"):
            fill()
        assert {len(here.read(name) or b"") for name in here.names()} == {len(body)}
        assert [name for name in os.listdir(here.fd) if name.startswith(".")] == []
        with pytest.raises(DiskFull):
            here.replace("durable", b"x" * 60_000)
        here.remove("0.json")
        here.write("again.json", body)


def test_a_file_size_limit_is_a_failed_write_and_nothing_appears(here: Directory) -> None:
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, old[1]))
    try:
        with pytest.raises(CannotWrite):
            here.write("1.json", b"x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert os.listdir(here.fd) == []


def test_an_unwritable_directory_is_a_typed_fault() -> None:
    with open_root("/proc/self/fdinfo") as here:
        for act in (
            lambda: here.write("x", b"x"),
            lambda: here.mark("x"),
            lambda: here.touch("x"),
            lambda: here.append("x", b"x"),
            lambda: here.replace("x", b"x"),
            lambda: here.make(("x",)),
        ):
            with pytest.raises(CannotWrite):
                act()


def test_a_limit_on_the_disk_stops_bodies_before_answers(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"x" * 5000)
    ledger = Ledger.of(tmp_path, 100 * 4096)
    assert ledger.used == 2 * 4096
    ledger.take("body", 78 * 4096, bulk=True)
    with pytest.raises(OverLimit, match=r"80% of limits\.disk"):
        ledger.take("body", 1, bulk=True)
    ledger.take("reply", 20 * 4096)
    with pytest.raises(OverLimit):
        ledger.take("reply", 1)
    assert ledger.used == 100 * 4096


names = st.text(alphabet="abc019-.", min_size=1, max_size=6).filter(lambda name: name.strip("."))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(names, st.binary(min_size=1, max_size=200)), max_size=8), st.booleans())
def test_the_first_write_of_a_name_stands_for_ever(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[str, bytes]], durable: bool
) -> None:
    with open_root(tmp_path_factory.mktemp("w")) as here:
        expected: dict[str, bytes] = {}
        for name, data in writes:
            if name in expected:
                with pytest.raises(Exists):
                    here.write(name, data, durable=durable)
            else:
                here.write(name, data, durable=durable)
                expected[name] = data
        assert {name: here.read(name) for name in expected} == expected
        assert set(here.names()) == {name for name in expected if not name.startswith(".")}
        sync_together({here: list(expected)})


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=2000))
def test_a_blob_is_read_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    with open_root(tmp_path_factory.mktemp("b")) as here:
        name = here.put_blob(data)
        assert name == digest(data)
        if data:
            assert here.get_blob(name) == data
