"""Whole runs as a user has them: answers, limits, cancel, follow-ups, disks that fill up, resume, replay."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sympozium_protocol import layout
from sympozium_protocol.clock import utc
from sympozium_protocol.exits import Reason
from sympozium_protocol.messages import Cancel, FollowUp, InboundMessage, TextPart
from tests.pod.play import PROCESSES, SYMPOZIUM, Play, Run
from tests.support.scratch import NOW, soon


def command(line: str, save: str = "r", **more: object) -> dict[str, object]:
    return {"tool": "execute_command", "arguments": {"command": line, **more}, "save": save}


WAIT = "touch began; until [ -e go ]; do sleep 0.01; done"


def step(*calls: dict[str, object], say: str = "") -> dict[str, object]:
    return {"say": say, "call": list(calls)}


def test_standard_output_carries_the_answer_and_nothing_else(play: Play) -> None:
    script = play.script([step(command("echo seen"), say="I look"), {"say": "It says ${r}."}])
    run = play.run("--script", str(script))
    assert (run.code, run.out) == (0, "It says seen.\n")
    assert "execute_command" in run.err
    assert str(run.directory) in run.err


def test_output_json_is_the_run_result(play: Play) -> None:
    run = play.run("--script", str(play.script([{"say": "done"}])), "--output", "json", "--quiet")
    found = json.loads(run.out)
    assert (found["phase"], found["reason"], found["output"]) == ("Succeeded", "Completed", "done")


def test_calls_of_one_turn_run_side_by_side(play: Play) -> None:
    """Each waits for what the other makes: one after the other would time out."""
    meet = "touch {}; until [ -e {} ]; do sleep 0.01; done; echo met"
    script = play.script(
        [
            step(command(meet.format("one", "other"), "a"), command(meet.format("other", "one"), "b")),
            {"say": "${a} ${b}"},
        ]
    )
    assert play.run("--script", str(script)).out == "met met\n"


@pytest.mark.parametrize(
    ("calls", "outcomes"),
    [
        ([{"tool": "no_such_tool"}], ["error"]),
        ([{"tool": "execute_command", "arguments": {}}], ["error"]),
        ([{"tool": "execute_command", "malformed": "{nonsense"}], ["error"]),
        ([{"tool": "read_file", "arguments": {"path": "/nowhere"}}], ["error"]),
        ([command("exit 3")], ["error"]),
        ([command("sleep 60", timeout=0.2)], ["timeout"]),
        ([{"tool": "fetch_url", "arguments": {"url": "http://127.0.0.1:1/"}}], ["error"]),
    ],
    ids=["unknown tool", "missing argument", "no JSON", "no file", "exit code", "timeout", "private address"],
)
def test_what_fails_is_an_answer_that_the_model_reads(
    calls: list[dict[str, object]], outcomes: list[str], play: Play
) -> None:
    run = play.run("--script", str(play.script([step(*calls), {"say": "went on"}])))
    assert (run.code, run.out) == (0, "went on\n")
    assert [answer.outcome for answer in run.answers] == outcomes


def test_a_large_answer_is_cut_for_the_model_and_whole_in_a_blob(play: Play) -> None:
    script = play.script([step(command("echo {1..40000} | tr ' ' '\\n'")), {"say": "done"}])
    [answer] = play.run("--script", str(script)).answers
    shown = "".join(part.text for part in answer.content if isinstance(part, TextPart))
    assert shown.startswith("1\n2\n")
    assert "40000" in shown
    assert len(shown) < 30_000
    assert any(part.type == "blob" for part in answer.content)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--max-steps", "2"), Reason.StepLimit),
        (("--timeout", "1s"), Reason.Timeout),
        (("--max-tokens", "10"), Reason.BudgetExceeded),
    ],
)
def test_limits_end_a_run_with_their_own_reason(options: tuple[str, ...], reason: Reason, play: Play) -> None:
    steps = [{"say": "again", "call": [command("date +%N; sleep 0.3")], "repeat": 20}, {"say": "done"}]
    run = play.run("--script", str(play.script(steps)), *options)
    assert (run.code, run.result["reason"], run.out) == (int(reason), reason.name, "")
    assert run.messages


def test_the_same_call_with_the_same_answer_ends_the_run(play: Play) -> None:
    run = play.run("--script", str(play.script([{"call": [command("echo same")], "repeat": 20}])))
    assert run.code == Reason.RepeatedCalls


def test_a_script_that_ends_too_early_is_no_success(play: Play) -> None:
    run = play.run("--script", str(play.script([step(command("true"))])))
    assert (run.code, run.out, run.result["phase"]) == (int(Reason.ScriptEnded), "", "Failed")


def console(play: Play, number: int, document: Cancel | FollowUp) -> None:
    aside = play.path / "aside"
    aside.write_bytes(document.encode())
    aside.rename(play.place(layout.CONSOLE_BOX) / f"{number}.json")


def test_cancel_ends_a_run_that_waits_for_a_command_and_leaves_no_process(play: Play) -> None:
    script = play.script([step(command(f"exec -a {play.path} sleep 300")), {"say": "done"}])
    launcher = play.start(play.command("--script", str(script)))
    [pid] = soon(lambda: named(str(play.path)), "the command starts")
    done = subprocess.run([str(SYMPOZIUM), "cancel", str(play.directory)], env=play.env(), check=False, timeout=60)
    assert done.returncode == 0
    assert launcher.wait(60) == Reason.Cancelled
    assert not Path(f"/proc/{pid}").exists()
    result = Run(play.directory, 0, "", "").result
    assert (result["phase"], result["reason"]) == ("Cancelled", "Cancelled")


def named(name: str) -> list[int]:
    """Processes that call themselves so; those of containers are this machine's too."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().startswith(name.encode() + b"\0"):
                found.append(int(path.parent.name))
    return found


def test_ctrl_c_cancels_cleanly(play: Play) -> None:
    script = play.script([step(command("touch began; sleep 300")), {"say": "done"}])
    launcher = play.start(play.command("--script", str(script)))
    soon((play.workspace / "began").exists, "the command starts")
    launcher.send_signal(signal.SIGINT)
    assert launcher.wait(60) == Reason.Cancelled


def test_a_follow_up_is_taken_between_steps_and_stands_in_the_transcript(play: Play) -> None:
    script = play.script([step(command(WAIT)), {"say": "first"}, {"say": "second"}])
    launcher = play.start(play.command("--script", str(script)))
    soon((play.workspace / "began").exists, "the command starts")
    console(play, 1, FollowUp(text="and then?", by="ann", time=utc(NOW)))
    soon((play.place(layout.INBOX) / "1.json").exists, "the gate hands it in")
    (play.workspace / "go").touch()
    assert launcher.wait(60) == 0
    messages = Run(play.directory, 0, "", "").messages
    assert [m.text for m in messages if isinstance(m, InboundMessage)] == ["and then?"]


def test_a_suspended_run_is_resumed_and_a_finished_one_is_not(play: Play) -> None:
    script = play.script([step(command(WAIT)), {"say": "ended ${r.outcome}"}])
    launcher = play.start(play.command("--script", str(script)))
    soon((play.workspace / "began").exists, "the command starts")
    locked = play.resume()
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(60) == Reason.Suspended
    run = play.resume()
    assert locked.code == Reason.RunLocked
    assert (run.code, run.out) == (0, "ended interrupted\n")
    assert play.resume().code in (0, Reason.RunFinished)


def test_a_replay_gives_the_same_answer_and_says_where_it_left_the_recording(play: Play) -> None:
    """The replay is played by processes, wherever the recorded run was."""
    read = "touch began; until [ -e state.txt ]; do sleep 0.01; done; cat state.txt"
    script = str(play.script([step(command(read)), {"say": "It is ${r}."}]))

    def with_state(text: str, name: str, *options: str) -> Run:
        """A run that reads this in its workspace."""
        workspace = play.path / name / "workspace"
        words = [str(SYMPOZIUM), "run", *options, "--approve", "all", "--dir", str(play.path / name)]
        with ThreadPoolExecutor(1) as threads:
            run = threads.submit(play.do, words)
            soon(lambda: run.done() or (workspace / "began").exists(), "the command starts")
            (workspace / "aside").write_text(text)
            (workspace / "aside").rename(workspace / "state.txt")
            return run.result()

    first = with_state("one", "first", "look", "--on", play.on, "--script", script, "--policy", "permissive")
    assert first.out == "It is one.\n", first.err
    replay = ("--replay", str(play.path / "first"))
    assert with_state("one", "same", *replay).out == first.out
    other = with_state("two", "other", *replay)
    assert other.code == Reason.ReplayDiverged, other.err
    assert "5" in other.err


def test_a_run_that_may_write_little_ends_with_a_typed_reason(play: Play) -> None:
    objects = play.path / "small.yaml"
    objects.write_text(
        """
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumInstance
metadata: {name: small}
spec:
  provider: {name: scripted, model: m}
  policy: permissive
  limits: {steps: 0, disk: 1Mi}
"""
    )
    steps = [{"say": "x" * 8000, "call": [command("date +%N")], "repeat": 400}, {"say": "done"}]
    run = play.run("--script", str(play.script(steps)), "-f", str(objects))
    assert (run.code, run.result["reason"]) == (int(Reason.DiskLimit), "DiskLimit"), run.err


@PROCESSES
@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system can only be mounted by root")
def test_a_full_disk_ends_the_run_by_exit_code_and_standard_error(play: Play, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=True)
    try:
        steps = [{"say": "x" * 20_000, "call": [command("date +%N")], "repeat": 400}, {"say": "done"}]
        run = play.do(
            [
                *(str(SYMPOZIUM), "run", "fill", "--script", str(play.script(steps)), "--policy", "permissive"),
                *("--approve", "all", "--max-steps", "0", "--dir", str(small / "run")),
            ]
        )
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
    assert run.code == Reason.DiskFull, run.err
    assert "DiskFull" in run.err
    assert run.out == ""
