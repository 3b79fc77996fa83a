"""Kill any program of the pod at any moment: no write happens twice, and the run still ends in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

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


IN_CONTAINERS = [
    *(("agent", "before-call", 2), ("agent", "message", 3), ("agent", "result", 1)),
    *(("bridge", "before-verdict", 2), ("bridge", "verdict", 3)),
    *(("shell", "ready", 1), ("shell", "effect", 2)),
    *(("model", "started", 2), ("model", "replied", 1)),
]
"""Some of each program: a life costs more there, and between the engine and the file system nothing else differs."""
EVERYWHERE = [
    *(("processes", *point, nth) for nth in (1, 2, 3) for point in FAILPOINTS),
    *(("compose", *point) for point in IN_CONTAINERS),
]


def plan() -> list[dict[str, object]]:
    """Each step adds a line to a file in the workspace; the answer quotes how each ended."""
    steps: list[dict[str, object]] = [
        {
            "say": f"step {n}",
            "call": [{"tool": "execute_command", "arguments": {"command": f"echo {n} >> effects"}, "save": f"s{n}"}],
        }
        for n in range(STEPS)
    ]
    return [*steps, {"say": "ended: " + " ".join(f"${{s{n}.outcome}}" for n in range(STEPS))}]


@pytest.mark.parametrize(("play", "program", "failpoint", "nth"), EVERYWHERE, ids=str, indirect=["play"])
def test_a_program_killed_in_the_run_is_restarted_and_nothing_happens_twice(
    program: str, failpoint: str, nth: int, play: Play, effects: Callable[[], list[str]]
) -> None:
    killed = play.kill_at(f"{program}/{failpoint}#{nth}")
    run = play.run("--script", str(play.script(plan())), **killed.env)
    if nth == 1 or failpoint not in ONCE:
        assert killed.passed, "the failpoint was never passed"
    assert run.code == 0, run.err
    check(run, effects())


@pytest.mark.xdist_group("launchers that are killed")
@pytest.mark.parametrize(
    "place",
    ["agent/call#3", "agent/message#5", "bridge/verdict#3", "shell/started#2", "shell/effect#2", "model/started#2"],
)
def test_a_run_whose_launcher_died_too_is_resumed_to_the_same_end(
    place: str, play: Play, effects: Callable[[], list[str]]
) -> None:
    killed = play.kill_at(place)
    launcher = play.start(play.command("--script", str(play.script(plan()))), **killed.env)
    soon(lambda: killed.passed, "the failpoint is passed")
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
