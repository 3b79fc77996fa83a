"""sympozium-layout, and what a program does in a pod that is only just being laid out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sympozium_protocol import layout
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import open_root
from sympozium_protocol.layingout import lay_out
from sympozium_protocol.messages.spec import RunSpec
from sympozium_protocol.process import take_secrets
from tests.support.scratch import soon

GOOD = Path(__file__).parents[2] / "protocol" / "fixtures" / "v1" / "good"
RUN = (GOOD / "runspec-whole.json").read_bytes()


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    place = tmp_path / "seed"
    (place / "packs" / "ops").mkdir(parents=True)
    (place / "run.json").write_bytes(RUN)
    (place / "packs" / "ops" / "pack.yaml").write_text("category: x\n")
    (tmp_path / "ipc").mkdir()
    (tmp_path / "packs").mkdir()
    return place


def test_it_makes_every_directory_copies_the_packs_and_writes_the_run_once(seed: Path, tmp_path: Path) -> None:
    with open_root(tmp_path / "ipc") as ipc:
        lay_out(seed, ipc, tmp_path / "packs")
        lay_out(seed, ipc, tmp_path / "packs")
    names = tuple(participant.name for participant in RunSpec.decode(RUN).participants)
    assert all((tmp_path / "ipc").joinpath(*place).is_dir() for place in layout.places(names))
    assert (tmp_path / "ipc" / "run" / "run.json").read_bytes() == RUN
    assert (tmp_path / "packs" / "ops" / "pack.yaml").read_text() == "category: x\n"


def test_a_run_that_is_none_is_refused_before_anything_is_made(seed: Path, tmp_path: Path) -> None:
    (seed / "run.json").write_text("{}")
    with open_root(tmp_path / "ipc") as ipc, pytest.raises(Ended) as caught:
        lay_out(seed, ipc, tmp_path / "packs")
    assert caught.value.reason is Reason.InvalidRun
    assert "run.json" in caught.value.message
    assert not list((tmp_path / "ipc").iterdir())


def test_a_program_waits_for_the_run_that_is_still_being_laid_out(seed: Path, tmp_path: Path) -> None:
    ipc = tmp_path / "ipc"
    environment = {**os.environ, "SYMPOZIUM_IPC": str(ipc), "SYMPOZIUM_RUN_WITHIN": "60"}
    waiting = (
        "from sympozium_protocol.process import Settings, await_run, open_run; "
        "print('looking', flush=True); await_run(); print(open_run(Settings.from_environment())[1].run)"
    )
    program = subprocess.Popen([sys.executable, "-c", waiting], env=environment, stdout=subprocess.PIPE, text=True)
    assert program.stdout
    assert program.stdout.readline() == "looking\n"
    with open_root(ipc) as root:
        lay_out(seed, root, tmp_path / "packs")
    assert program.communicate(timeout=60)[0].strip() == RunSpec.decode(RUN).run


@pytest.mark.parametrize("program", ["sympozium-agent", "sympozium-bridge"])
def test_a_program_that_waits_for_the_run_ends_when_it_is_told(program: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    environment = {**os.environ, "SYMPOZIUM_IPC": str(tmp_path), "SYMPOZIUM_RUN_WITHIN": "600"}
    waiting = subprocess.Popen([Path(sys.executable).with_name(program)], env=environment)
    try:
        soon(lambda: catches_sigterm(waiting.pid), "a handler of SIGTERM")
        waiting.terminate()
        assert waiting.wait(timeout=60) == int(Reason.Suspended)
    finally:
        waiting.kill()


def catches_sigterm(pid: int) -> bool:
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) & 1 << 14)


def test_secrets_that_are_files_become_variables_of_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYMPOZIUM_SECRETS", str(tmp_path))
    monkeypatch.setenv("SOME_KEY", "overwritten")
    (tmp_path / "SOME_KEY").write_text("sesame\n")
    (tmp_path / "..data").write_text("not a secret")
    take_secrets()
    assert os.environ["SOME_KEY"] == "sesame"
    assert "..data" not in os.environ


@pytest.mark.parametrize(("content", "why"), [(b"\xff", "what no variable can"), (b"a\0b", "what no variable can")])
def test_a_secret_that_no_variable_can_hold_is_named(
    content: bytes, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYMPOZIUM_SECRETS", str(tmp_path))
    (tmp_path / "SOME_KEY").write_bytes(content)
    with pytest.raises(Ended) as caught:
        take_secrets()
    assert caught.value.reason is Reason.MissingKey
    assert why in caught.value.message
    assert "SOME_KEY" in caught.value.message
