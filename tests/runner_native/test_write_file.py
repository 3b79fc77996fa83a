"""write_file: where it may write, and what a link put there late can do (nothing)."""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from native_env import call, context, text

from sympozium_runner.native import NativeContext
from sympozium_runner.native.write_file import LARGEST


@pytest.fixture
def outside() -> Iterator[Path]:
    """A directory that is neither /tmp nor the workspace."""
    path = Path(tempfile.mkdtemp(dir="/var/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def env(outside: Path) -> NativeContext:
    workspace = outside / "workspace"
    workspace.mkdir()
    return context(workspace)


def test_a_file_is_written_with_its_parents_replaced_and_appended_to(env: NativeContext) -> None:
    assert call("write_file", env, path="a/b/c.txt", content="one\n").outcome == "ok"
    assert call("write_file", env, path="/workspace/a/b/c.txt", content="two\n").details == {"bytes": 4, "size": 4}
    assert call("write_file", env, path="a/b/c.txt", content="é\n", append=True).details == {"bytes": 3, "size": 7}
    assert (env.workspace / "a/b/c.txt").read_text() == "two\né\n"
    assert os.listdir(env.workspace / "a/b") == ["c.txt"]


def test_the_mode_of_a_replaced_file_stays(env: NativeContext) -> None:
    script = env.workspace / "run.sh"
    script.touch(mode=0o755)
    script.chmod(0o755)
    call("write_file", env, path="run.sh", content="x")
    assert script.stat().st_mode & 0o777 == 0o755


def test_tmp_is_writable(env: NativeContext) -> None:
    name = f"/tmp/sympozium-{secrets.token_hex(8)}/x"
    assert call("write_file", env, path=name, content="x").outcome == "ok"
    shutil.rmtree(Path(name).parent)


def test_where_tmp_is_not_private_the_agents_own_directory_stands_for_it(
    env: NativeContext, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(outside))
    assert call("write_file", env, path=f"{outside}/x", content="x").outcome == "ok"
    refused = call("write_file", env, path="/tmp/sympozium-not-here", content="x")
    assert refused.outcome == "error"
    assert "/workspace" in text(refused)
    assert not Path("/tmp/sympozium-not-here").exists()


@pytest.mark.parametrize("path", ["/etc/x", "../x", "/workspace/../x", "/tmp/../x", "/workspace", "/tmp", ".", "/"])
def test_elsewhere_is_refused(env: NativeContext, outside: Path, path: str) -> None:
    result = call("write_file", env, path=path, content="x")
    assert result.outcome == "error"
    assert str(outside) not in text(result)
    assert os.listdir(outside) == ["workspace"]


def test_the_ipc_directory_is_refused_even_below_tmp(tmp_path: Path) -> None:
    env = context(tmp_path / "w", ipc=tmp_path / "ipc")
    for path in (tmp_path / "ipc/bridge/verdicts/x.json", tmp_path / "w/link/x.json"):
        (tmp_path / "w").mkdir(exist_ok=True)
        (tmp_path / "ipc").mkdir(exist_ok=True)
        if not (tmp_path / "w/link").is_symlink():
            (tmp_path / "w/link").symlink_to(tmp_path / "ipc")
        assert call("write_file", env, path=str(path), content="x").outcome == "error"
    assert os.listdir(tmp_path / "ipc") == []


def test_a_link_is_resolved_first_and_what_it_leads_to_is_judged(env: NativeContext, outside: Path) -> None:
    (env.workspace / "out").symlink_to(outside)
    (env.workspace / "file").symlink_to(outside / "f")
    (env.workspace / "real").mkdir()
    (env.workspace / "in").symlink_to("real")
    for path in ("out/x", "file", "out/workspace/../x"):
        assert call("write_file", env, path=path, content="x").outcome == "error"
    assert os.listdir(outside) == ["workspace"]
    assert call("write_file", env, path="in/x", content="x").outcome == "ok"
    assert (env.workspace / "real/x").read_text() == "x"


@pytest.mark.parametrize("append", [False, True])
def test_a_link_swapped_in_at_any_moment_leads_nowhere(env: NativeContext, outside: Path, append: bool) -> None:
    target = outside / "target"
    target.mkdir()
    (target / "file").write_text("untouched")
    place = env.workspace / "d"
    link = env.workspace / "link"
    place.mkdir()
    link.symlink_to(target)
    done = threading.Event()

    def swap() -> None:
        libc = ctypes.CDLL(None)
        while not done.is_set():
            assert libc.renameat2(-100, os.fsencode(place), -100, os.fsencode(link), 2) == 0  # RENAME_EXCHANGE

    thread = threading.Thread(target=swap)
    thread.start()
    outcomes = {call("write_file", env, path="d/file", content="evil", append=append).outcome for _ in range(300)}
    done.set()
    thread.join()
    assert (target / "file").read_text() == "untouched"
    assert os.listdir(target) == ["file"]
    assert outcomes <= {"ok", "error"}


@pytest.mark.parametrize("append", [False, True])
def test_what_is_no_regular_file_is_refused_and_blocks_nobody(env: NativeContext, append: bool) -> None:
    os.mkfifo(env.workspace / "fifo")
    (env.workspace / "dir").mkdir()
    (env.workspace / "file").touch()
    for path in ("fifo", "dir", "file/x", "n" * 300):
        assert call("write_file", env, path=path, content="x", append=append).outcome == "error"


def test_a_file_with_another_name_elsewhere_is_not_changed_through_this_one(env: NativeContext, outside: Path) -> None:
    (outside / "precious").write_text("precious")
    os.link(outside / "precious", env.workspace / "mine")
    assert "hard links" in text(call("write_file", env, path="mine", content="x", append=True))
    assert call("write_file", env, path="mine", content="x").outcome == "ok"
    assert (outside / "precious").read_text() == "precious"


def test_content_is_bounded_and_must_be_characters(env: NativeContext) -> None:
    assert "at most" in text(call("write_file", env, path="x", content="é" * LARGEST))
    assert "surrogate" in text(call("write_file", env, path="x", content="\ud800"))
    assert os.listdir(env.workspace) == []
