"""What is decided about a run that waits: for its pod, for a person, in line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sympozium_controller.lifecycle import line
from sympozium_controller.lifecycle.actions import (
    Again,
    DeleteJob,
    Emit,
    PatchStatus,
    ReadQuestions,
    Requeue,
)
from sympozium_controller.lifecycle.decide import MOST_ATTEMPTS, decide, settle_missing
from sympozium_controller.lifecycle.view import View
from sympozium_protocol.clock import utc
from sympozium_protocol.messages.termination import Termination
from tests.support.deciding import (
    HAS_JOB,
    ID,
    NOW,
    PULL,
    SOON,
    SUSPENDED,
    ended,
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


def test_the_call_that_a_suspended_run_asks_about_is_read_before_it_is_told() -> None:
    silent = View(run(**HAS_JOB), job(), pod(SUSPENDED), bus=True)
    assert decide(silent, NOW) == (ReadQuestions(over=True),)
    heard_before = replace(silent, asks=("ops/2-1",), questions={"ops/2-1": "kubectl_apply"})
    assert decide(heard_before, NOW) == (ReadQuestions(over=True),)
    asked = View(run(**HAS_JOB), job(), pod(SUSPENDED), bus=True, questions={"ops/3-1": "kubectl_delete"})
    actions = decide(asked, NOW)
    told = status_of(actions)
    assert (told["reason"], told["waitingFor"]) == ("Suspended", "Answer")
    assert told["message"] == (
        "its pod ended while it waited for an answer to ops/3-1 (kubectl_delete), and another begins after it: "
        "sympozium approve r 3-1 --on cluster -n a (or deny)"
    )
    (started,) = (one for one in told["conditions"] if one["type"] == "Started")
    assert started["message"] == told["message"]
    assert Emit("Normal", "Suspended", told["message"]) in actions


def test_an_attempt_that_was_told_to_end_and_asks_nobody_is_the_end_of_its_run() -> None:
    left = View(run(**HAS_JOB), job(), pod(SUSPENDED), bus=True, questions={}, idle=True)
    told = status_of(decide(left, NOW))
    assert (told["phase"], told["reason"]) == ("Failed", "Evicted")
    assert told["message"] == "it was told to end while it worked"
    assert left.pod is not None
    left.pod["metadata"]["deletionTimestamp"] = utc(NOW)
    assert status_of(decide(left, NOW))["message"] == "its pod was deleted while it worked"


def test_a_participant_that_never_came_is_told_with_what_its_instance_lacks() -> None:
    away = ended(Termination(reason="ParticipantUnavailable", message="not ready within 120 s: memory"), 30)
    lacking = View(run(**HAS_JOB), job(), pod(away), unready="the memory: no node takes the pod")
    told = status_of(decide(lacking, NOW))
    wanted = "not ready within 120 s: memory; SympoziumInstance one: the memory: no node takes the pod"
    assert (told["reason"], told["message"]) == ("ParticipantUnavailable", wanted)


def test_the_calls_that_a_gate_waits_with_are_told_with_their_tools_and_how_to_answer() -> None:
    going = pod({"running": {"startedAt": utc(NOW)}}, "Running")
    heard = View(run(**HAS_JOB), job(), going, bus=True, asks=("ops/3-1", "ops/3-2"))
    assert decide(heard, NOW) == (ReadQuestions(),)
    known = replace(heard, questions={"ops/3-1": "kubectl_delete", "ops/3-2": ""})
    actions = decide(known, NOW)
    told = status_of(actions)
    assert (told["phase"], told["reason"], told["waitingFor"]) == ("Waiting", "ApprovalRequired", "Answer")
    assert told["message"] == (
        "it waits for an answer to ops/3-1 (kubectl_delete), ops/3-2: "
        "sympozium approve r 3-1 --on cluster -n a (or deny)"
    )
    assert Emit("Normal", "ApprovalRequired", told["message"]) in actions
    assert decide(replace(known, run=run(**HAS_JOB | told)), NOW) == ()
    fewer = decide(replace(known, run=run(**HAS_JOB | told), asks=("ops/3-2",)), NOW)
    assert kinds(fewer) == [PatchStatus]  # it waits already: the status says for what, and no further Event


def test_many_calls_that_wait_are_counted_and_not_all_named() -> None:
    going = pod({"running": {"startedAt": utc(NOW)}}, "Running")
    calls = {f"ops/3-{number}": "kubectl_delete" for number in range(1, 9)}
    heard = View(run(**HAS_JOB), job(), going, bus=True, asks=tuple(calls), questions=calls)
    message = status_of(decide(heard, NOW))["message"]
    assert "ops/3-4 (kubectl_delete) and 4 more: sympozium approve r 3-1" in message
    assert "3-5" not in message


def test_an_agent_that_stops_again_and_again_to_wait_has_so_many_attempts_and_no_more() -> None:
    waits = {**WAITS, "attempt": MOST_ATTEMPTS}
    last = View(run(annotations={"sympozium.ai/answered": "9999"}, **waits), job())
    status = status_of(decide(last, NOW))
    assert (status["phase"], status["reason"]) == ("Failed", "Timeout")
    assert f"{MOST_ATTEMPTS} times" in status["message"]
    before = View(run(annotations={"sympozium.ai/answered": "9999"}, **{**waits, "attempt": MOST_ATTEMPTS - 1}), job())
    assert kinds(decide(before, NOW)) == [Again]


def test_what_an_agent_says_of_its_end_is_one_plain_line_in_the_status() -> None:
    told = ended(Termination(reason="Suspended", message="first\nsecond \x1b[31m\u202ered"), 51)
    status = status_of(decide(View(run(**HAS_JOB), job(), pod(told)), NOW))
    assert status["message"] == "first second \ufffd[31m\ufffdred"
    failed = ended(Termination(reason="BudgetExceeded", message="a\tb\u202e"), 41)
    actions = decide(View(run(**HAS_JOB), job(), pod(failed)), NOW)
    assert status_of(actions)["message"] == "a b\ufffd"
    assert all("\u202e" not in one["message"] for one in status_of(actions)["conditions"])
    assert Emit("Warning", "BudgetExceeded", "a b\ufffd") in actions


@pytest.mark.parametrize(
    "waits",
    [
        View(run(cancel=True, phase="Waiting", reason="InLine", waitingFor="Turn"), ahead=3),
        View(run(cancel=True, phase="Waiting", reason="MissingReference", waitingFor="SkillPack/x")),
        View(run(cancel=True, **WAITS), job(), pod(SUSPENDED)),
        View(run(cancel=True, **WAITS)),
        View(run(cancel=True, **WAITS), job(), bus=True),
        View(run(cancel=True, annotations={"sympozium.ai/answered": "1"}, **WAITS), job()),
    ],
)
def test_a_run_that_waits_and_is_cancelled_ends_at_once_without_a_job(waits: View) -> None:
    actions = decide(waits, NOW)
    assert kinds(actions) == [PatchStatus, Emit]
    assert status_of(actions)["phase"] == "Cancelled"


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


def test_a_run_that_begins_to_wait_is_told_once_for_each_reason() -> None:
    lacks = settle_missing(View(run()), "SkillPack/x", "spec.skills.0: there is no SkillPack x", NOW)
    assert Emit("Warning", "MissingReference", "spec.skills.0: there is no SkillPack x") in lacks
    first = run(**status_of(lacks))
    assert settle_missing(View(first), "SkillPack/x", "spec.skills.0: there is no SkillPack x", NOW + 5) == ()
    other = settle_missing(View(first), "Secret/k", "there is no Secret k", NOW + 9)
    assert kinds(other) == [PatchStatus, Emit]
    line_now = decide(View(first, ahead=2), NOW + 10, limit=1)
    assert Emit("Normal", "InLine", "the instance runs 1 at a time") in line_now
    assert decide(View(run(**status_of(lacks) | status_of(line_now)), ahead=1), NOW + 20, limit=1) == ()


def test_a_run_that_waits_for_nothing_tells_no_more_than_its_end() -> None:
    going = pod({"running": {"startedAt": utc(NOW)}}, "Running")
    pending = status_of(decide(View(run(), job()), NOW))
    running = decide(View(run(**pending), job(), going), NOW)
    assert kinds(running) == [PatchStatus]


def test_the_line_goes_by_creation_and_then_by_name() -> None:
    runs = [one_of("b", "1"), one_of("c", "0"), one_of("a", "1")]
    assert [line.ahead(one, runs, set(), 1) for one in runs] == [2, None, 1]
    assert [line.ahead(one, runs, {"c"}, 2) for one in runs] == [1, None, None]
    assert [one["metadata"]["name"] for one in line.first(runs, 2)] == ["c", "a"]


def test_who_waits_for_something_else_keeps_nobody_from_going() -> None:
    lacking = one_of("a", "0", phase="Waiting", reason="MissingReference")
    gone = one_of("b", "0", phase="Failed")
    assert line.ahead(one_of("c", "1"), [lacking, gone], set(), 1) is None
