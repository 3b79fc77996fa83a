"""Kill any program of the pod at any moment: no write happens twice, and the run still ends in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from sympozium_protocol.exits import Reason
from tests.pod.play import Play, Run
from tests.support.scratch import soon

STEPS = 3
ONCE = ("ready", "before-result", "result")
FAILPOINTS = [
    *(("agent", name) for name in ("before-message", "message", "before-call", "call", "before-result", "result")),
    *(("bridge", name) for name in ("before-durable", "before-verdict", "verdict")),
    *(("shell", name) for name in ("ready", "started", "effect", "before-reply", "replied")),
    *(("model", name) for name in ("ready", "started", "effect", "before-reply", "replied")),
]


def plan(path: Path) -> list[dict[str, object]]:
    """Each step adds a line to a file outside the run; the answer quotes how each ended."""
    steps: list[dict[str, object]] = [
        {
            "say": f"step {n}",
            "call": [
                {"tool": "execute_command", "arguments": {"command": f"echo {n} >> {path}/effects"}, "save": f"s{n}"}
            ],
        }
        for n in range(STEPS)
    ]
    return [*steps, {"say": "ended: " + " ".join(f"${{s{n}.outcome}}" for n in range(STEPS))}]


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize(("program", "failpoint"), FAILPOINTS, ids=str)
def test_a_program_killed_in_the_run_is_restarted_and_nothing_happens_twice(
    program: str, failpoint: str, nth: int, play: Play, effects: Callable[[], list[str]], tmp_path: Path
) -> None:
    script = str(play.script(plan(tmp_path)))
    run = play.run("--script", script, SYMPOZIUM_FAILPOINT=f"{program}/{failpoint}#{nth}@{tmp_path}/killed")
    if nth == 1 or failpoint not in ONCE:
        assert (tmp_path / "killed").exists(), "the failpoint was never passed"
    assert run.code == 0, run.err
    check(run, effects())


@pytest.mark.parametrize(
    "place",
    ["agent/call#3", "agent/message#5", "bridge/verdict#3", "shell/started#2", "shell/effect#2", "model/started#2"],
)
def test_a_run_whose_launcher_died_too_is_resumed_to_the_same_end(
    place: str, play: Play, effects: Callable[[], list[str]], tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    command = play.command("--script", str(play.script(plan(tmp_path))))
    launcher = play.start(command, SYMPOZIUM_FAILPOINT=f"{place}@{killed}")
    soon(killed.exists, "the failpoint is passed")
    launcher.kill()
    launcher.wait()
    run = soon(lambda: not_locked(play.resume()), "the programs of the dead launcher end")
    assert run.code == 0, run.err
    check(run, effects())


def not_locked(run: Run) -> Run | None:
    return None if run.code == Reason.RunLocked else run


def check(run: Run, effects: list[str]) -> None:
    """Every effect at most once; those whose answer was ok exactly once; the model read every outcome."""
    outcomes = [answer.outcome for answer in run.answers]
    assert len(outcomes) == STEPS
    assert set(outcomes) <= {"ok", "interrupted"}
    counted = Counter(effects)
    assert all(count == 1 for count in counted.values()), effects
    for n, outcome in enumerate(outcomes):
        if outcome == "ok":
            assert counted[str(n)] == 1
    assert run.out.strip() == "ended: " + " ".join(outcomes)
    assert run.result["reason"] == "Completed"
