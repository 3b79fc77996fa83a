"""The termination message: whatever ends an agent, who started its container finds a reason there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages import RunResult
from sympozium_protocol.messages.termination import Termination
from sympozium_runner.parting import Parting

DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
RESULT = RunResult(
    run="r1",
    phase="Succeeded",
    reason="Completed",
    output="It is 5.",
    output_size=8,
    start_time="2026-11-20T09:30:00.125Z",
    completion_time="2026-11-20T09:31:07Z",
)
START = """
import os, signal
from sympozium_runner import first
first.BACKOFF = 0.01
LOG = os.environ["SYMPOZIUM_TERMINATION_MESSAGE"]
"""


def first(path: Path, program: str, run: str = '{"native": {"tools": []}}') -> tuple[int, Path]:
    """The first process with a stand-in for the program; its exit code, and the file of its message."""
    (path / "run").mkdir()
    (path / "run" / "run.json").write_text(run)
    log = path / "termination-log"
    log.touch()
    known = {"PATH": os.environ["PATH"], "SYMPOZIUM_IPC": str(path), "SYMPOZIUM_TERMINATION_MESSAGE": str(log)}
    code = START + program + "\nraise SystemExit(first.first(program))\n"
    return subprocess.run([sys.executable, "-c", code], env=known, check=False, capture_output=True).returncode, log


def test_a_result_is_told_with_its_answer(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("what a former life said, which was longer than all that there is to be said of this one" * 9)
    Parting(str(log), 4096, DIGEST, RESULT).tell(Reason.Completed, "")
    told = Termination.decode(log.read_bytes())
    assert (told.reason, told.output, told.cut, told.run_digest) == ("Completed", "It is 5.", False, DIGEST)


def test_a_result_that_is_not_safe_is_told_as_not_durable_with_its_answer(tmp_path: Path) -> None:
    Parting(str(tmp_path / "log"), 4096, DIGEST, RESULT).tell(Reason.NotDurable, "the gate did not")
    told = Termination.decode((tmp_path / "log").read_bytes())
    assert (told.reason, told.message, told.output) == ("NotDurable", "the gate did not", "It is 5.")


def test_an_end_without_a_result_is_told_by_its_reason(tmp_path: Path) -> None:
    Parting(str(tmp_path / "log"), 4096, DIGEST).tell(Reason.BridgeLost, "the gate has gone")
    told = Termination.decode((tmp_path / "log").read_bytes())
    assert (told.reason, told.message, told.output_digest) == ("BridgeLost", "the gate has gone", None)


def test_a_message_that_cannot_be_written_ends_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Parting(str(tmp_path / "none" / "log"), 4096, DIGEST, RESULT).tell(Reason.Completed, "")
    Parting(str(tmp_path / "log"), 3, DIGEST, RESULT).tell(Reason.Completed, "")
    Parting("", 4096, DIGEST, RESULT).tell(Reason.Completed, "")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == [
        "no termination message",
        "no termination message",
    ]
    assert not (tmp_path / "log").exists()


def test_a_size_that_is_no_number_is_refused() -> None:
    with pytest.raises(Ended, match="SYMPOZIUM_TERMINATION_BYTES: 'many'"):
        Parting.from_environment({"SYMPOZIUM_TERMINATION_BYTES": "many"}, "")


def test_the_first_process_tells_of_a_program_that_is_killed_again_and_again(tmp_path: Path) -> None:
    code, log = first(tmp_path, "def program(): os.abort()")
    told = Termination.decode(log.read_bytes())
    assert (code, told.reason) == (63, "AgentCrashed")
    assert "SIGABRT" in told.message


def test_the_first_process_tells_of_a_program_that_ended_without_a_word(tmp_path: Path) -> None:
    code, log = first(tmp_path, "def program(): raise ValueError('x')")
    assert (code, Termination.decode(log.read_bytes()).reason) == (69, "InternalError")


def test_the_first_process_leaves_what_the_program_told(tmp_path: Path) -> None:
    code, log = first(tmp_path, "def program():\n  open(LOG, 'w').write('its own')\n  return 42")
    assert (code, log.read_text()) == (42, "its own")


def test_the_first_process_has_nothing_to_add_to_a_success(tmp_path: Path) -> None:
    code, log = first(tmp_path, "def program(): return 0")
    assert (code, log.read_text()) == (0, "")


def test_a_run_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "agent").mkdir()
    log = tmp_path / "log"
    known = {"SYMPOZIUM_IPC": str(tmp_path), "SYMPOZIUM_TERMINATION_MESSAGE": str(log)}
    agent = [sys.executable, "-m", "sympozium_runner"]
    code = subprocess.run(agent, env=known, check=False, capture_output=True).returncode
    told = Termination.decode(log.read_bytes())
    assert (code, told.reason, told.message) == (64, "InvalidRun", "run/run.json: no such file or directory")


def test_a_run_that_is_none_is_told_by_the_program(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    log = tmp_path / "log"
    known = {"SYMPOZIUM_IPC": str(tmp_path), "SYMPOZIUM_TERMINATION_MESSAGE": str(log)}
    agent = [sys.executable, "-m", "sympozium_runner"]
    code = subprocess.run(agent, env=known, check=False, capture_output=True).returncode
    told = Termination.decode(log.read_bytes())
    assert (code, told.reason) == (64, "InvalidRun")
    assert told.message.startswith("run/run.json: ")
