"""What every program owes to whoever started it: settings, exit codes, its end with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sympozium_protocol.exits import Ended, Reason, reason_of
from sympozium_protocol.files import BadFile, CannotWrite, DiskFull
from sympozium_protocol.ledger import OverLimit
from sympozium_protocol.process import Settings, end_within, reason_for, report
from tests.support.ipc import wait_for


def test_settings_have_the_defaults_of_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IPC", "PARTICIPANT", "RUN_DIGEST", "WORKSPACE"):
        monkeypatch.delenv(f"SYMPOZIUM_{name}", raising=False)
    assert Settings.from_environment("memory") == Settings(Path("/ipc"), "memory", "", Path("/workspace"))


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"IPC": "/i", "PARTICIPANT": "p", "RUN_DIGEST": "d", "WORKSPACE": "/w"}
    for name, value in values.items():
        monkeypatch.setenv(f"SYMPOZIUM_{name}", value)
    assert Settings.from_environment("other") == Settings(Path("/i"), "p", "d", Path("/w"))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Ended(Reason.ScriptEnded, "x"), Reason.ScriptEnded),
        (DiskFull("a", "x"), Reason.DiskFull),
        (OverLimit("a", "x"), Reason.DiskLimit),
        (CannotWrite("a", "x"), Reason.StorageFailed),
        (BadFile("a", "x"), Reason.StorageFailed),
    ],
)
def test_a_fault_has_its_reason_however_deep_it_stands(
    fault: Exception, expected: Reason, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reason_for(fault)[0] is expected  # type: ignore[arg-type]
    assert report(ExceptionGroup("outer", [ExceptionGroup("inner", [ValueError(), fault])])) == expected
    assert expected.name in capsys.readouterr().err


def test_a_fault_of_no_type_is_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(RuntimeError("x")) == Reason.InternalError
    assert "RuntimeError" in capsys.readouterr().err


def test_exit_codes_are_unique_and_within_their_decades() -> None:
    assert all(reason_of(int(reason)) is reason for reason in Reason)
    assert reason_of(99) is None
    assert all(reason is Reason.Completed or 10 <= reason < 80 for reason in Reason)
    assert Reason.Completed.phase == "Succeeded"
    assert {reason.phase for reason in Reason if reason not in (Reason.Completed, Reason.Cancelled)} == {"Failed"}


def test_a_process_that_is_not_a_programs_own_is_not_ended() -> None:
    end_within(0.0)


WAITS = """
import asyncio, sys
from sympozium_protocol.process import run
async def main():
    print("up", flush=True)
    await asyncio.sleep(3600)
raise SystemExit(run(main))
"""
PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], env={**os.environ, "SYMPOZIUM_PARENT": str(os.getpid())})
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_suspends_a_program(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", WAITS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        assert process.wait(20) == Reason.Suspended


def test_a_program_ends_with_the_parent_that_it_was_told_of() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, WAITS], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        lines = {parent.stdout.readline().strip(), parent.stdout.readline().strip()}
        child = int((lines - {"up"}).pop())
        parent.kill()
        parent.wait()
        wait_for(lambda: None if _lives(child) else True, "end of the child")


def _lives(pid: int) -> bool:
    try:
        return b") Z" not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False


def test_a_program_whose_parent_has_gone_already_does_not_begin() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WAITS],
        env={**os.environ, "SYMPOZIUM_PARENT": "1" if os.getpid() != 1 else "2"},
        capture_output=True,
        check=False,
        timeout=20,
    )
    assert (done.returncode, done.stdout) == (Reason.Suspended, b"")
