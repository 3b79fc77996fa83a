"""Kill any program of the pod at any moment: no write happens twice, and the run still ends in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

STEPS = 3
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
@pytest.mark.parametrize(("program", "failpoint"), FAILPOINTS, ids=lambda value: str(value))
def test_a_program_killed_in_the_run_is_restarted_and_nothing_happens_twice(
    program: str, failpoint: str, nth: int, play, effects: Callable[[], list[str]], tmp_path: Path
) -> None:
    run = play.run(
        "--script",
        str(play.script(plan(tmp_path))),
        SYMPOZIUM_FAILPOINT=f"{failpoint}#{nth}@{tmp_path}/killed",
        SYMPOZIUM_FAILPOINT_PROGRAM=program,
    )
    if nth == 1 or failpoint not in ("ready", "before-result", "result"):
        assert (tmp_path / "killed").exists(), "the failpoint was never passed"
    assert run.code == 0, run.err
    check(run, effects())


@pytest.mark.parametrize("kill", ["agent", "bridge", "shell", "model"])
def test_a_run_whose_launcher_died_is_resumed_to_the_same_end(
    kill: str, play, effects: Callable[[], list[str]], tmp_path: Path
) -> None:
    failpoint = {"agent": "call#3", "bridge": "verdict#3", "shell": "started#2", "model": "started#2"}[kill]
    first = play.run(
        "--script",
        str(play.script(plan(tmp_path))),
        SYMPOZIUM_FAILPOINT=f"{failpoint}@{tmp_path}/killed",
        SYMPOZIUM_FAILPOINT_PROGRAM=kill,
        SYMPOZIUM_FAILPOINT_LAUNCHER="die",
    )
    assert first.code != 0
    assert not (first.directory / "ipc/agent/result.json").exists()
    run = play.resume()
    assert run.code == 0, run.err
    check(run, effects())


def check(run, effects: list[str]) -> None:
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
