"""What is decided about a run, from what a cluster says of it. Nothing here knows a server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from sympozium_controller.lifecycle import history, line, trim
from sympozium_controller.lifecycle.actions import (
    Action,
    Again,
    DeleteJob,
    Emit,
    FindJob,
    KeepJob,
    LowerDeadline,
    PatchStatus,
    Requeue,
    Start,
    TakeBackRights,
)
from sympozium_controller.lifecycle.decide import Times, decide
from sympozium_controller.lifecycle.view import DIGEST, View
from sympozium_controller.names import LABEL_ATTEMPT, LABEL_RUN_UID, run_id
from sympozium_controller.objects.status import RunStatus
from sympozium_protocol.clock import utc
from sympozium_protocol.messages.termination import Termination

NOW = 1_800_000_000.0
UID = "11111111-2222"
ID = run_id("r", UID)
PINNED = "d" * 64
SOON = Times(start_within=60, keep_job=5, stop_within=30)


def run(*, cancel: bool = False, annotations: dict[str, str] | None = None, **status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "sympozium.ai/v1alpha1",
        "kind": "AgentRun",
        "metadata": {
            "name": "r",
            "namespace": "a",
            "uid": UID,
            "generation": 1,
            "resourceVersion": "1",
            "creationTimestamp": utc(NOW),
            "annotations": annotations or {},
        },
        "spec": {"instanceRef": "one", "input": "x", "cancel": cancel},
        "status": status,
    }


def job(
    *conditions: dict[str, Any], attempt: int = 1, age: float = 0.0, deadline: int = 700, **spec: Any
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": ID if attempt == 1 else f"{ID}-{attempt}",
            "namespace": "a",
            "uid": f"job-{attempt}",
            "creationTimestamp": utc(NOW - age),
            "labels": {LABEL_RUN_UID: UID, LABEL_ATTEMPT: str(attempt)},
            "annotations": {DIGEST: PINNED},
        },
        "spec": {"activeDeadlineSeconds": deadline, **spec},
        "status": {"conditions": list(conditions)},
    }


def holds(type: str, reason: str = "", since: float = 0.0) -> dict[str, Any]:
    return {"type": type, "status": "True", "reason": reason, "lastTransitionTime": utc(NOW - since)}


def pod(state: dict[str, Any] | None = None, phase: str = "Pending", **status: Any) -> dict[str, Any]:
    agents = [{"name": "agent", "image": "reg/agent:1", "state": state}] if state else []
    return {
        "metadata": {"name": "p", "namespace": "a", "uid": "pod"},
        "spec": {"nodeName": "n1"},
        "status": {"phase": phase, "conditions": [], "containerStatuses": agents, **status},
    }


def ended(told: Termination | str = "", code: int = 0, reason: str = "") -> dict[str, Any]:
    message = told if isinstance(told, str) else told.within(4096).decode()
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


HAS_JOB = {"phase": "Pending", "jobName": ID, "jobUID": "job-1", "attempt": 1}


def status_of(actions: tuple[Action, ...]) -> dict[str, Any]:
    """What is to be written, which the schema takes."""
    (patch,) = (one for one in actions if isinstance(one, PatchStatus))
    RunStatus.model_validate({**patch.status, "conditions": tuple(patch.status.get("conditions", ()))})
    return dict(patch.status)


def kinds(actions: tuple[Action, ...]) -> list[type[Action]]:
    return [type(one) for one in actions]


def test_a_new_run_is_started() -> None:
    assert decide(View(run()), NOW) == (Start(1),)


def test_a_run_that_has_to_wait_for_its_turn_says_so_once() -> None:
    first = status_of(decide(View(run(), ahead=3), NOW, limit=2))
    assert (first["phase"], first["reason"], first["waitingFor"]) == ("Waiting", "InLine", "Turn")
    assert first["message"] == "the instance runs 2 at a time"
    assert decide(View(run(**first), ahead=1), NOW + 5, limit=2) == ()


def test_a_job_that_was_created_before_a_crash_is_taken_up() -> None:
    told = status_of(decide(View(run(), job()), NOW))
    assert (told["jobName"], told["jobUID"], told["run"], told["runDigest"]) == (ID, "job-1", ID, PINNED)
    assert (told["phase"], told["attempt"]) == ("Pending", 1)


def test_what_the_status_says_already_is_not_written_again() -> None:
    view = View(run(), job(), pod({"running": {"startedAt": utc(NOW)}}, "Running"))
    told = status_of(decide(view, NOW))
    assert told["phase"] == "Running"
    again = View(run(**told), job(), pod({"running": {"startedAt": utc(NOW)}}, "Running"))
    assert decide(again, NOW + 60) == ()


def test_a_running_run_whose_pod_is_out_of_sight_stays_running() -> None:
    told = status_of(decide(View(run(), job(), pod({"running": {}}, "Running")), NOW))
    assert decide(View(run(**told), job()), NOW + 60) == ()


def test_success_is_told_with_answer_usage_and_digest() -> None:
    told = Termination(reason="Completed", run_digest=PINNED, output="yes", output_size=3, output_digest="a" * 64)
    actions = decide(View(run(**HAS_JOB), job(), pod(ended(told), "Succeeded")), NOW)
    status = status_of(actions)
    assert (status["phase"], status["reason"], status["output"]) == ("Succeeded", "Completed", "yes")
    assert (status["outputSize"], status["outputDigest"]) == (3, "a" * 64)
    assert Emit("Normal", "Completed", "Succeeded") in actions


def test_an_answer_that_was_cut_says_so() -> None:
    told = Termination(reason="Completed", output="be", cut=True, output_size=90_000)
    status = status_of(decide(View(run(**HAS_JOB), job(), pod(ended(told))), NOW))
    assert status["output"] == "be\n[cut: the whole has 90000 bytes]"


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (ended(Termination(reason="BudgetExceeded"), 41), "BudgetExceeded"),
        (ended(Termination(reason="Completed"), 41), "ResultUnreadable"),
        (ended(Termination(reason="BudgetExceeded"), 0), "ResultUnreadable"),
        (ended(Termination(reason="NoSuchWord"), 99), "ResultUnreadable"),
        (ended(Termination(reason="Completed", run_digest="e" * 64), 0), "ResultUnreadable"),
        (ended("", 0), "ResultUnreadable"),
        (ended("{}", 0), "ResultUnreadable"),
        (ended("", 62), "BridgeLost"),
        (ended("", 99), "AgentCrashed"),
        (ended("", 137, "OOMKilled"), "OutOfMemory"),
    ],
)
def test_an_end_without_a_credible_account_is_a_typed_failure(state: dict[str, Any], reason: str) -> None:
    status = status_of(decide(View(run(**HAS_JOB), job(), pod(state)), NOW))
    assert (status["phase"], status["reason"]) == ("Failed", reason)
    assert status["message"] or reason == "BudgetExceeded"


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (pod(phase="Failed", reason="Evicted", message="low on memory"), "Evicted"),
        (
            pod(ended("", 143), phase="Failed", conditions=[holds("DisruptionTarget", "EvictionByEvictionAPI")]),
            "Evicted",
        ),
        (pod(phase="Failed", conditions=[holds("DisruptionTarget", "DeletionByPodGC")]), "NodeLost"),
        (pod(phase="Failed", reason="NodeLost"), "NodeLost"),
        (pod(phase="Failed", reason="DeadlineExceeded"), "Timeout"),
        (pod(phase="Failed"), "AgentCrashed"),
    ],
)
def test_what_the_cluster_did_to_the_pod_is_told(seen: dict[str, Any], reason: str) -> None:
    assert status_of(decide(View(run(**HAS_JOB), job(), seen), NOW))["reason"] == reason


def test_an_agent_that_told_its_end_is_believed_before_an_eviction() -> None:
    told = pod(ended(Termination(reason="Completed"), 0), conditions=[holds("DisruptionTarget", "Eviction")])
    assert status_of(decide(View(run(**HAS_JOB), job(), told), NOW))["phase"] == "Succeeded"


def test_the_jobs_own_end_is_told_where_nothing_is_left_of_the_pod() -> None:
    late = job(holds("Failed", "DeadlineExceeded"))
    assert status_of(decide(View(run(**HAS_JOB), late), NOW))["reason"] == "Timeout"
    lost = job(holds("Failed", "BackoffLimitExceeded"))
    assert status_of(decide(View(run(**HAS_JOB), lost), NOW))["reason"] == "JobLost"
    assert status_of(decide(View(run(**HAS_JOB), job(holds("Complete"))), NOW))["reason"] == "ResultUnreadable"


def test_a_job_that_is_out_of_sight_is_looked_for_before_it_is_lost() -> None:
    assert decide(View(run(**HAS_JOB)), NOW) == (FindJob(ID),)
    assert status_of(decide(View(run(**HAS_JOB), job_gone=True), NOW))["reason"] == "JobLost"
    cancelled = View(run(cancel=True, **HAS_JOB), job_gone=True)
    assert status_of(decide(cancelled, NOW))["phase"] == "Cancelled"


# -- a pod that cannot begin -----------------------------------------------------------------------------------

PULL = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling"}}
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


# -- cancelling --------------------------------------------------------------------------------------------


def test_a_run_that_is_cancelled_before_it_began_has_no_job() -> None:
    actions = decide(View(run(cancel=True)), NOW)
    assert status_of(actions)["phase"] == "Cancelled"
    assert kinds(actions) == [PatchStatus, Emit]


def test_cancelling_lowers_the_deadline_once() -> None:
    going = pod({"running": {"startedAt": utc(NOW)}}, "Running")
    actions = decide(View(run(cancel=True, **HAS_JOB), job(), going), NOW)
    assert LowerDeadline(ID, 1) in actions
    assert LowerDeadline(ID, 1) not in decide(View(run(cancel=True, **HAS_JOB), job(deadline=1), going), NOW)


@pytest.mark.parametrize(
    ("found", "phase"),
    [
        (View(run(cancel=True, **HAS_JOB), job(), pod(ended("", 51))), "Cancelled"),
        (View(run(cancel=True, **HAS_JOB), job(), pod(ended(Termination(reason="Suspended"), 51))), "Cancelled"),
        (View(run(cancel=True, **HAS_JOB), job(holds("Failed", "DeadlineExceeded"))), "Cancelled"),
        (View(run(cancel=True, **HAS_JOB), job(holds("FailureTarget", "DeadlineExceeded", 31))), "Cancelled"),
        # its deadline was lowered, and the kubelet ended an agent that had not heard of it
        (
            View(
                run(cancel=True, **HAS_JOB),
                job(holds("FailureTarget", "DeadlineExceeded")),
                pod(ended(Termination(reason="Suspended"), 51)),
            ),
            "Cancelled",
        ),
        (View(run(cancel=True, **HAS_JOB), job(), pod(ended(Termination(reason="Completed"), 0))), "Succeeded"),
    ],
)
def test_a_cancelled_run_ends_cancelled_unless_it_had_ended_before(found: View, phase: str) -> None:
    assert status_of(decide(found, NOW, SOON))["phase"] == phase


def test_a_pod_that_does_not_end_when_told_is_not_waited_for_for_ever() -> None:
    silent = View(run(**HAS_JOB), job(holds("FailureTarget", "DeadlineExceeded", since=31)))
    assert status_of(decide(silent, NOW, SOON))["reason"] == "NodeLost"


# -- waiting for a person ------------------------------------------------------------------------------------

SUSPENDED = ended(Termination(reason="Suspended", message="nobody answered"), 51)
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


# -- afterwards --------------------------------------------------------------------------------------------


def test_what_made_a_finished_run_goes_after_its_result_is_stored() -> None:
    done = run(**{**HAS_JOB, "phase": "Succeeded"})
    view = View(done, job(holds("Complete")), pod(ended("", 0)), rights=True)
    assert decide(view, NOW, SOON) == (TakeBackRights(), KeepJob(ID, 5))
    assert decide(View(done, job(holds("Complete"), ttlSecondsAfterFinished=5)), NOW, SOON) == ()


def test_a_deleted_run_gives_up_its_rights_and_nothing_is_begun() -> None:
    leaving = run()
    leaving["metadata"]["deletionTimestamp"] = utc(NOW)
    assert decide(View(leaving, rights=True), NOW) == (TakeBackRights(),)
    assert decide(View(leaving), NOW) == ()


FINISHED = st.sampled_from(["Succeeded", "Failed", "Cancelled"])


@given(phase=FINISHED, cancel=st.booleans(), seen=st.sampled_from([None, pod(SUSPENDED), pod(PULL), pod(ended("", 9))]))
def test_a_run_that_has_ended_is_never_changed(phase: str, cancel: bool, seen: dict[str, Any] | None) -> None:
    over = View(run(cancel=cancel, **{**HAS_JOB, "phase": phase}), job(), seen)
    assert not any(isinstance(one, PatchStatus | Start | Again) for one in decide(over, NOW))


# -- the line, the history, what is kept ---------------------------------------------------------------------


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


def test_history_limits_touch_only_finished_runs_of_that_source() -> None:
    def made(name: str, phase: str, source: str = "s") -> dict[str, Any]:
        found = one_of(name, "0", phase=phase, completionTime=name)
        found["metadata"]["labels"] = {history.LABEL_SOURCE: source}
        return found

    runs = [made("1", "Succeeded"), made("2", "Succeeded"), made("3", "Failed"), made("4", "Cancelled")]
    others = [made("0", "Succeeded", "t"), made("0", "Running"), one_of("0", "0", phase="Succeeded")]
    surplus = history.surplus([*runs, *others], "s", succeeded=1, failed=1)
    assert [one["metadata"]["name"] for one in surplus] == ["1", "3"]


def test_little_is_kept_of_a_finished_run() -> None:
    whole = run(phase="Succeeded", output="x" * 16000, conditions=[{"type": "Finished"}])
    whole["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    whole["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "sympozium.ai/a": "b"}
    kept = trim.run(whole)
    assert kept["spec"] == {"instanceRef": "one"}
    assert kept["status"] == {"phase": "Succeeded"}
    assert kept["metadata"]["annotations"] == {"sympozium.ai/a": "b"}
    assert "managedFields" not in kept["metadata"]


def test_a_long_message_is_left_out_and_known_to_be() -> None:
    long = run()
    long["spec"]["input"] = "x" * 5000
    assert trim.run(long)["spec"]["input"] is None
    assert trim.run(run())["spec"]["input"] == "x"
    assert trim.run({**long, "spec": "not even an object"})["spec"] == "not even an object"
