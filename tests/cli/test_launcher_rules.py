"""The launcher's decisions, which are pure."""

from __future__ import annotations

import threading

import pytest

from sympozium_cli.launch.environment import environment_of
from sympozium_cli.launch.orphans import Seen, abandoned
from sympozium_cli.launch.restarts import BACKOFF, GiveUp, Restart, after_agent, after_end
from sympozium_cli.person import Mouth
from sympozium_cli.view.ask import decision_of
from sympozium_controller.pod import SecretEnv
from sympozium_controller.render.processes import Process
from sympozium_protocol.exits import Reason
from sympozium_protocol.files import open_root


@pytest.mark.parametrize("code", [-9, -15, 1, 51, 69, 0])
def test_whatever_ends_before_the_run_is_started_again(code):
    assert after_end(code, 0, bridge=False) == Restart(0.0)


def test_restarts_come_later_and_later_and_end():
    delays = [after_end(-9, n, bridge=False) for n in range(len(BACKOFF) + 1)]
    assert delays == [*map(Restart, BACKOFF), GiveUp(None)]
    assert after_end(-9, len(BACKOFF), bridge=True) == GiveUp(Reason.BridgeLost)


@pytest.mark.parametrize("reason", [Reason.InvalidRun, Reason.ManifestRefused, Reason.MissingKey, Reason.InvalidPack])
def test_what_another_start_would_repeat_ends_the_run(reason):
    assert after_end(int(reason), 0, bridge=False) == GiveUp(reason)


def test_an_agent_is_started_again_only_when_a_signal_killed_it():
    assert after_agent(-9, 0) == Restart(0.0)
    assert after_agent(-9, 5) == GiveUp(Reason.AgentCrashed)
    assert after_agent(42, 0) == GiveUp(Reason.StepLimit)
    assert after_agent(1, 0) == GiveUp(Reason.AgentCrashed)


def test_only_what_belongs_to_no_living_program_is_abandoned():
    me, skill = 1, 10
    table = {
        seen.pid: seen
        for seen in (
            Seen(skill, me, skill, False),
            Seen(11, skill, skill, False),  # a command
            Seen(12, me, skill, False),  # its background job: adopted, but in the program's session
            Seen(20, me, 20, False),  # a daemon with a session of its own
            Seen(21, 20, 20, False),  # and its child
            Seen(30, me, 99, False),  # left by a program that is gone
            Seen(40, 2, 40, False),  # nobody of ours
        )
    }
    assert abandoned(table, me, frozenset({skill})) == {20, 21, 30}
    assert abandoned(table, me, frozenset()) == {10, 11, 12, 20, 21, 30}


def test_an_environment_holds_what_is_named_and_nothing_else():
    key = SecretEnv("API_KEY", "keys", "apiKey")
    process = Process("model", ("/x",), (("TMPDIR", "/own"), ("A", "1")), (key,), ("HOME",), "/")
    outside = {"PATH": "/bin", "HOME": "/root", "TMPDIR": "/tmp", "LC_ALL": "C", "AWS_SECRET_ACCESS_KEY": "no"}
    assert environment_of(process, {key: "k"}, outside, 7) == {
        "PATH": "/bin",
        "HOME": "/root",
        "LC_ALL": "C",
        "TMPDIR": "/own",
        "A": "1",
        "API_KEY": "k",
        "SYMPOZIUM_PARENT": "7",
    }


@pytest.mark.parametrize(
    ("line", "decided"),
    [
        ("y", (True, "")),
        ("YES", (True, "")),
        ("y: fine by me", (True, "fine by me")),
        ("n", (False, "")),
        ("no, not today", (False, "not today")),
        ("", None),
        ("yeah", None),
        ("allow", None),
    ],
)
def test_only_yes_and_no_decide(line, decided):
    assert decision_of(line) == decided


def test_many_terminals_at_once_take_numbers_without_gaps(tmp_path):
    (tmp_path / "console").mkdir()

    def speak() -> None:
        with open_root(tmp_path) as ipc:
            mouth = Mouth(ipc, "somebody")
            for _ in range(5):
                mouth.send("hello")

    # one process writes aside under one name, so terminals are processes; threads here take turns in it
    lock = threading.Lock()
    speakers = [threading.Thread(target=lambda: [lock.acquire(), speak(), lock.release()]) for _ in range(4)]
    for speaker in speakers:
        speaker.start()
    for speaker in speakers:
        speaker.join()
    assert sorted(int(path.stem) for path in (tmp_path / "console").iterdir()) == list(range(1, 21))
