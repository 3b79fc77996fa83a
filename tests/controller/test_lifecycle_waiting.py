"""What is decided about a run that waits: for its pod, for a person, in line."""

from __future__ import annotations

from typing import Any

import pytest

from sympozium_controller.lifecycle import line
from sympozium_controller.lifecycle.actions import (
    Again,
    DeleteJob,
    Emit,
    PatchStatus,
    Requeue,
)
from sympozium_controller.lifecycle.decide import decide
from sympozium_controller.lifecycle.view import View
from sympozium_protocol.clock import utc
from tests.support.deciding import (
    HAS_JOB,
    ID,
    NOW,
    PULL,
    SOON,
    SUSPENDED,
    job,
    kinds,
    pod,
    run,
    status_of,
)

SETUP = {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "s" not found'}}
OTHER = {"waiting": {"reason": "CreateContainerConfigError", "message": "runAsNonRoot"}}
NO_NODE = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]


@pytest.mark.parametrize(
    ("view", "reason", "named"),
    [
        (View(run(), job(age=9), pod(PULL)), "ImageUnavailable", "reg/agent:1"),
        (View(run(), job(age=9), pod(SETUP)), "MissingKey", '"s"'),
        (View(run(), job(age=9), pod(OTHER)), "PodRefused", "runAsNonRoot"),
        (View(run(), job(age=9), pod(), unmounted='secret "key" not found'), "MissingKey", '"key"'),
        (View(run(), job(age=9), refused="exceeded quota: tiny"), "PodRefused", "quota: tiny"),
        (View(run(), job(age=9), pod(conditions=NO_NODE)), "Unschedulable", "0/3 nodes"),
    ],
)
def test_what_keeps_a_pod_from_beginning_is_told_while_it_is_waited_for(view: View, reason: str, named: str) -> None:
    actions = decide(view, NOW, SOON)
    status = status_of(actions)
    assert (status["phase"], status["reason"]) == ("Pending", reason)
    assert named in status["message"]
    assert kinds(actions) == [PatchStatus, Emit, Requeue]
    (started,) = (one for one in status["conditions"] if one["type"] == "Started")
    assert (started["status"], started["reason"]) == ("False", reason)


def test_one_trouble_is_told_in_its_first_words() -> None:
    first = status_of(decide(View(run(), job(), pod(PULL)), NOW, SOON))
    other = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
    assert kinds(decide(View(run(**first), job(), pod(other)), NOW + 10, SOON)) == [Requeue]


def test_a_pod_that_cannot_begin_fails_its_run_after_a_while_and_the_job_goes_then() -> None:
    stuck = View(run(**HAS_JOB), job(age=61), pod(PULL))
    status = status_of(decide(stuck, NOW, SOON))
    assert (status["phase"], status["reason"]) == ("Failed", "ImageUnavailable")
    over = View(run(**status), job(age=61), pod(PULL))
    assert decide(over, NOW, SOON) == (DeleteJob(ID, "job-1"),)


def test_a_pod_without_a_node_is_told_only_after_a_while() -> None:
    actions = decide(View(run(), job(), pod(conditions=NO_NODE)), NOW, SOON)
    assert "reason" not in status_of(actions)
    assert kinds(actions) == [PatchStatus, Requeue]


# -- waiting for a person

WAITS = {**HAS_JOB, "phase": "Waiting", "reason": "Suspended"}


def test_an_attempt_that_ended_to_wait_is_no_end_of_the_run() -> None:
    status = status_of(decide(View(run(**HAS_JOB), job(), pod(SUSPENDED)), NOW))
    assert (status["phase"], status["reason"], status["waitingFor"]) == ("Waiting", "Suspended", "Answer")
    assert kinds(decide(View(run(**WAITS), job(), pod(SUSPENDED)), NOW)) == [Requeue]


def test_an_answer_begins_the_next_attempt_and_an_older_one_does_not() -> None:
    answered = {"sympozium.ai/answered": "1"}
    assert decide(View(run(annotations=answered, **WAITS), job()), NOW) == (Again(ID, 2),)
    second = {**WAITS, "attempt": 2, "jobName": f"{ID}-2"}
    assert kinds(decide(View(run(annotations=answered, **second)), NOW)) == [Requeue]
    told = status_of(decide(View(run(annotations=answered, **WAITS), job(attempt=2)), NOW))
    assert (told["phase"], told["attempt"], told["jobName"]) == ("Pending", 2, f"{ID}-2")


def test_nobody_is_waited_for_longer_than_his_answer_counts() -> None:
    waits = {**WAITS, "conditions": [{"type": "Started", "status": "False", "lastTransitionTime": utc(NOW - 60)}]}
    patient, over = job(), job()
    patient["metadata"]["annotations"] = {"sympozium.ai/approval-expiry": "100"}
    over["metadata"]["annotations"] = {"sympozium.ai/approval-expiry": "60"}
    assert decide(View(run(**waits), patient), NOW) == (Requeue(40.0),)
    assert decide(View(run(**waits), over), NOW) == (Again(ID, 2),)


# -- in line


def one_of(name: str, created: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": name, "creationTimestamp": created}, "spec": {}, "status": status}


def test_the_line_goes_by_creation_and_then_by_name() -> None:
    runs = [one_of("b", "1"), one_of("c", "0"), one_of("a", "1")]
    assert [line.ahead(one, runs, set(), 1) for one in runs] == [2, None, 1]
    assert [line.ahead(one, runs, {"c"}, 2) for one in runs] == [1, None, None]
    assert [one["metadata"]["name"] for one in line.first(runs, 2)] == ["c", "a"]


def test_who_waits_for_something_else_keeps_nobody_from_going() -> None:
    lacking = one_of("a", "0", phase="Waiting", reason="MissingReference")
    gone = one_of("b", "0", phase="Failed")
    assert line.ahead(one_of("c", "1"), [lacking, gone], set(), 1) is None
