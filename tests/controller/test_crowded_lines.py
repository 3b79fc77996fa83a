"""A line of thousands costs those who wait in it little, and everybody else nothing."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from sympozium_controller.lifecycle import line
from sympozium_controller.names import LABEL_INSTANCE, LABEL_RUN_NAME, LABEL_RUN_UID
from sympozium_controller.operator.holdings import Holdings
from sympozium_controller.operator.queue import Queue
from sympozium_controller.operator.runs import Runs
from sympozium_controller.operator.views import Memory, Views
from sympozium_protocol.kube.api import KubeApi, KubeObject


def head(name: str, **more: Any) -> dict[str, Any]:
    created = f"2026-11-21T10:00:{name[-2:]}Z"
    return {
        "name": name,
        "namespace": "team",
        "uid": name,
        "resourceVersion": "1",
        "creationTimestamp": created,
        **more,
    }


def run(name: str, **status: Any) -> KubeObject:
    return {"metadata": head(name), "spec": {"instanceRef": "one"}, "status": status}


def job(name: str, *conditions: str) -> KubeObject:
    owner = {"uid": name, "name": name, "controller": True}
    told = {LABEL_RUN_NAME: name, LABEL_INSTANCE: "one"}
    metadata = head(name, labels={LABEL_RUN_UID: name}, annotations=told, ownerReferences=[owner])
    holds = [{"type": one, "status": "True"} for one in conditions]
    return {"metadata": metadata, "spec": {}, "status": {"conditions": holds}}


def holding(*runs: KubeObject, jobs: tuple[KubeObject, ...] = (), limit: int = 1) -> Holdings:
    held = Holdings(cast(KubeApi, None), (), "sympozium-system")
    held.instances.put({"metadata": head("one"), "spec": {"maxConcurrentRuns": limit}})
    for one in runs:
        held.runs.put(one)
    for one in jobs:
        held.jobs.put(one)
    return held


def has_turn(held: Holdings, name: str) -> bool:
    view = Views(held, Memory(), bus=False).of(("team", name))
    assert view is not None
    return view.ahead is None


WAITING = [run(f"w-{number}") for number in range(10, 20)]


@pytest.mark.parametrize(
    ("first", "jobs"),
    [
        (run("r-01", phase="Running", jobName="r-01"), ()),
        (run("r-01", phase="Running", jobName="r-01"), (job("r-01"),)),
        (run("r-01"), (job("r-01"),)),
    ],
)
def test_nobody_is_counted_behind_an_instance_whose_places_are_taken(
    first: KubeObject, jobs: tuple[KubeObject, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def counts(*_: object) -> int:
        raise AssertionError("the whole line was looked at")

    monkeypatch.setattr(line, "ahead", counts)
    held = holding(first, *WAITING, jobs=jobs)
    assert not any(has_turn(held, one["metadata"]["name"]) for one in WAITING)


def test_a_place_that_is_free_is_the_oldest_ones() -> None:
    for gone in (
        run("r-01", phase="Failed", jobName="r-01"),
        run("r-01", phase="Waiting", reason="Suspended", jobName="r-01", attempt=1),
    ):
        held = holding(gone, *WAITING, jobs=(job("r-01", "Failed"),))
        assert [one["metadata"]["name"] for one in WAITING if has_turn(held, one["metadata"]["name"])] == ["w-10"]


def test_what_has_begun_keeps_its_turn() -> None:
    held = holding(run("r-01", phase="Running", jobName="r-01"), run("r-02"), *WAITING, jobs=(job("r-02"),), limit=2)
    assert has_turn(held, "r-01")
    assert has_turn(held, "r-02")
    assert not has_turn(held, "w-10")


def test_looks_that_wait_for_nothing_leave_turns_to_everybody_else() -> None:
    assert len(set(asyncio.run(_turns_between(100)))) > 50


async def _turns_between(looks: int) -> list[int]:
    """How many turns another task had had by each look."""
    queue: Queue[int] = Queue("keys")
    turns = 0
    looked: list[int] = []

    async def look(key: int) -> None:
        looked.append(turns)

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    for key in range(looks):
        queue.add(key)
    tasks = [asyncio.create_task(queue.run(look, 1)), asyncio.create_task(other())]
    async with asyncio.timeout(20):
        while len(looked) < looks:
            await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    return looked


def test_a_thousand_that_go_at_once_have_the_line_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    monkeypatch.setattr(line, "first", lambda siblings, number: looked.append(len(siblings)) or [])
    asyncio.run(_all_go(holding(*WAITING), looked))
    assert looked == [0]


async def _all_go(held: Holdings, looked: list[int]) -> None:
    none: Any = None
    Runs(none, held, none, none, none, none)
    for one in WAITING:
        held.runs.remove(one)
        await asyncio.sleep(0)
    async with asyncio.timeout(20):
        while not looked:
            await asyncio.sleep(0.01)
