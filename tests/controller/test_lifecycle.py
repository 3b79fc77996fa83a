"""What is decided about a run from what a cluster says of it, from its beginning to its end: no server is here."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from sympozium_controller.lifecycle import trim
from sympozium_controller.lifecycle.actions import (
    Again,
    DeleteJob,
    Emit,
    FindJob,
    KeepJob,
    LowerDeadline,
    PatchStatus,
    Start,
    TakeBackRights,
)
from sympozium_controller.lifecycle.decide import decide
from sympozium_controller.lifecycle.view import View
from sympozium_protocol.clock import utc
from sympozium_protocol.messages.result import RunUsage
from sympozium_protocol.messages.termination import Termination
from tests.support.deciding import (
    HAS_JOB,
    ID,
    NOW,
    PINNED,
    PULL,
    SOON,
    SUSPENDED,
    ended,
    holds,
    job,
    kinds,
    pod,
    run,
    status_of,
)


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


def test_whatever_an_agent_claims_can_be_told() -> None:
    most = 10**30
    usage = RunUsage(input_tokens=most, output_tokens=most, model_calls=most, tool_calls=most, usd=1e308)
    told = Termination(
        reason="Completed", run_digest=PINNED, output_size=most, usage=usage, start_time="2026-02-31T00:00:00Z"
    )
    status = status_of(decide(View(run(**HAS_JOB), job(), pod(ended(told), "Succeeded")), NOW))
    counts = (*(status["usage"][name] for name in ("inputTokens", "outputTokens", "modelCalls", "toolCalls")),)
    assert {*counts, status["outputSize"]} == {2**63 - 1}
    assert status["usage"]["usd"] == "999999999999.00"
    assert "startTime" not in status


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


# -- cancelling


def test_a_run_that_is_cancelled_before_it_began_has_no_job() -> None:
    actions = decide(View(run(cancel=True)), NOW)
    assert status_of(actions)["phase"] == "Cancelled"
    assert kinds(actions) == [PatchStatus, Emit]


def test_who_cancelled_is_told_where_it_was_written_down() -> None:
    told = {"sympozium.ai/canceller": "ada"}
    begun = View(run(cancel=True, annotations=told, **HAS_JOB), job(), pod(ended("", 51)))
    assert status_of(decide(begun, NOW))["message"] == "cancelled by ada"
    waits = View(run(cancel=True, annotations=told))
    assert status_of(decide(waits, NOW))["message"] == "cancelled before it began by ada"


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


# -- afterwards


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


def test_the_job_of_a_run_that_is_being_deleted_goes_whoever_holds_the_run_up() -> None:
    leaving = run(**HAS_JOB)
    leaving["metadata"]["deletionTimestamp"] = utc(NOW)
    going = job()
    assert decide(View(leaving, going, rights=True), NOW) == (TakeBackRights(), DeleteJob(ID, "job-1"))
    going["metadata"]["deletionTimestamp"] = utc(NOW)
    assert decide(View(leaving, going), NOW) == ()


FINISHED = st.sampled_from(["Succeeded", "Failed", "Cancelled"])


@given(phase=FINISHED, cancel=st.booleans(), seen=st.sampled_from([None, pod(SUSPENDED), pod(PULL), pod(ended("", 9))]))
def test_a_run_that_has_ended_is_never_changed(phase: str, cancel: bool, seen: dict[str, Any] | None) -> None:
    over = View(run(cancel=cancel, **{**HAS_JOB, "phase": phase}), job(), seen)
    assert not any(isinstance(one, PatchStatus | Start | Again) for one in decide(over, NOW))


# -- what is kept of it


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
