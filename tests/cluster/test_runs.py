"""An AgentRun on a real API server: it becomes a Job, and what becomes of its pod is told in its status."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sympozium_controller.names import run_id
from sympozium_protocol.messages.termination import Termination
from tests.support.cluster import Cluster
from tests.support.cluster_definitions import define_kinds
from tests.support.controlling import Operator, Place, completed, operating, until


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("controller")


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[Place]:
    define_kinds(cluster)
    with cluster.namespace() as name:
        yield Place(cluster, name)


@pytest.fixture(scope="module")
def controller(place: Place, folder: Path) -> Iterator[Operator]:
    place.instance()
    with operating(place.cluster, place.namespace, folder, SYMPOZIUM_START_WITHIN="600") as found:
        yield found


def test_a_run_becomes_a_job_and_its_end_is_told(place: Place, controller: Operator) -> None:
    before = controller.writes()
    place.run("whole")
    pod = place.pod("whole")
    (job,) = place.jobs("whole")
    run = place.get("ar", "whole")
    id = run_id("whole", run["metadata"]["uid"])
    assert job["metadata"]["name"] == id == run["status"]["run"]
    assert run["status"]["jobUID"] == job["metadata"]["uid"]
    place.begins(pod)
    assert place.becomes("whole", "Running")["podName"] == pod
    place.ends(pod, completed("done"))
    status = place.becomes("whole", "Succeeded")
    assert (status["reason"], status["output"]) == ("Completed", "done")
    assert status["usage"] == {"inputTokens": 12, "outputTokens": 3, "modelCalls": 2, "toolCalls": 1, "usd": "0.0123"}
    assert status["startTime"] == "2026-11-21T10:00:00Z"
    until("the Job goes by itself", lambda: place.jobs("whole")[0]["spec"].get("ttlSecondsAfterFinished"))
    until("the end is told", lambda: place.items("events", "--field-selector", "involvedObject.name=whole"))
    events = {one["reason"] for one in place.items("events", "--field-selector", "involvedObject.name=whole")}
    slow = 2 if "Unschedulable" in events else 0  # no node is here: told after 3 s, in a status and an event
    account = 1  # of the namespace: its first run makes it
    _few_writes(before, controller.writes(), 6 + account + slow)


def test_a_run_with_rights_in_two_namespaces_costs_few_writes(place: Place, controller: Operator) -> None:
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    place.apply("SkillPack", "look", {"sidecar": {"image": "skill-shell", "commands": [], "rbac": [rule]}})
    with place.cluster.namespace() as other:
        places = {"look": {"namespaces": [other, place.namespace]}}
        place.instance("acting", skills=["look"], skillConfig=places)
        until("the pack was looked at", lambda: place.get("sp", "look").get("status"))
        before = controller.writes()
        place.run("rightful", instance="acting")
        pod = place.pod("rightful")
        place.begins(pod)
        place.becomes("rightful", "Running")
        place.ends(pod, completed())
        place.becomes("rightful", "Succeeded")
        until("its Job is let go", lambda: place.jobs("rightful")[0]["spec"].get("ttlSecondsAfterFinished"))
        place.is_told("rightful", "Completed")
        until("its rights are gone", lambda: not place.items("rolebindings", "-l", "sympozium.ai/run-uid"))
        slow = 2 if any(one[1] == "Unschedulable" for one in place.events("rightful")) else 0
        _few_writes(before, controller.writes(), 16 + slow)


def _few_writes(before: dict[tuple[str, str], int], after: dict[tuple[str, str], int], most: int) -> None:
    """Without the Lease, and what serves its instance."""
    others = ("Lease", "NetworkPolicy", "SympoziumInstance/status")
    written = {key: after[key] - before.get(key, 0) for key in after if key[1] not in others}
    assert sum(written.values()) <= most, written


def test_a_run_waits_for_what_it_names_and_goes_on_when_that_is_there(place: Place, controller: Operator) -> None:
    place.run("early", instance="later")
    status = place.becomes("early", "Waiting", "MissingReference")
    assert status["waitingFor"] == "SympoziumInstance/later"
    assert "spec.instanceRef" in status["message"]
    (resolved,) = (one for one in status["conditions"] if one["type"] == "Resolved")
    assert resolved["status"] == "False"
    assert place.is_told("early", "MissingReference") == ("Warning", "MissingReference", status["message"])
    place.instance("later")
    place.pod("early")
    assert place.becomes("early", "Pending")["waitingFor"] == ""
    place.is_told("early", "MissingReference")


def test_a_run_waits_for_a_secret_by_name(place: Place, controller: Operator) -> None:
    provider = {"name": "openai", "model": "m", "apiKeySecret": "the-key"}
    place.instance("keyed", provider=provider)
    place.run("keyless", instance="keyed")
    assert place.becomes("keyless", "Waiting", "MissingReference")["waitingFor"] == "Secret/the-key"
    place.cluster.kubectl("create", "secret", "generic", "the-key", "--from-literal=apiKey=x", "-n", place.namespace)
    place.pod("keyless")


def test_more_runs_than_may_go_at_once_wait_in_the_order_of_their_creation(place: Place, controller: Operator) -> None:
    place.instance("narrow", maxConcurrentRuns=1)
    for name in ("line-a", "line-b", "line-c"):
        place.run(name, instance="narrow")
    first = place.pod("line-a")
    for name in ("line-b", "line-c"):
        assert place.becomes(name, "Waiting", "InLine")["waitingFor"] == "Turn"
        assert place.is_told(name, "InLine") == ("Normal", "InLine", "the instance runs 1 at a time")
    place.ends(first, completed())
    place.becomes("line-a", "Succeeded")
    place.pod("line-b")
    assert place.status("line-c")["phase"] == "Waiting"
    assert not place.jobs("line-c")


def test_a_run_in_line_can_be_cancelled(place: Place, controller: Operator) -> None:
    place.instance("busy", maxConcurrentRuns=1)
    place.run("busy-a", instance="busy")
    place.pod("busy-a")
    place.run("busy-b", instance="busy")
    place.becomes("busy-b", "Waiting", "InLine")
    place.run("busy-b", instance="busy", cancel=True)
    assert place.becomes("busy-b", "Cancelled")["message"] == "cancelled before it began"
    assert not place.jobs("busy-b")


def test_cancelling_a_run_ends_its_pod(place: Place, controller: Operator) -> None:
    place.run("stopped")
    pod = place.pod("stopped")
    place.run("stopped", cancel=True)
    assert place.becomes("stopped", "Cancelled")["reason"] == "Cancelled"
    until("its pod is gone", lambda: pod not in {one["metadata"]["name"] for one in place.items("pods")})


def test_an_image_that_cannot_be_had_is_told_by_name(place: Place, controller: Operator) -> None:
    place.run("imageless")
    pod = place.pod("imageless")
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
    place.pod_status(pod, "Pending", waiting)
    status = place.becomes("imageless", "Pending", "ImageUnavailable", within=5)
    assert status["message"].startswith("image a of container agent: ErrImagePull: not found")
    place.pod_status(pod, "Pending", {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}})
    assert place.is_told("imageless", "ImageUnavailable") == ("Warning", "ImageUnavailable", status["message"])
    place.begins(pod)
    assert place.becomes("imageless", "Running")["message"] == ""


def test_a_pod_that_a_quota_refuses_is_told_with_the_quota(cluster: Cluster, place: Place, folder: Path) -> None:
    with cluster.namespace() as name, operating(cluster, name, folder, SYMPOZIUM_START_WITHIN="4"):
        tight = Place(cluster, name)
        cluster.kubectl("create", "quota", "tiny", "--hard=pods=0", "-n", name)
        tight.instance()
        tight.run("crowded")
        status = tight.becomes("crowded", "Pending", "PodRefused")
        assert "exceeded quota: tiny" in status["message"]
        assert tight.is_told("crowded", "PodRefused")[2] == status["message"]
        assert tight.becomes("crowded", "Failed")["reason"] == "PodRefused"
        until("its Job is gone", lambda: not tight.jobs("crowded"))


def test_an_evicted_pod_is_a_typed_failure(place: Place, controller: Operator) -> None:
    place.run("evicted")
    pod = place.pod("evicted")
    place.begins(pod)
    place.ends(pod, "", 137, reason="Evicted", message="The node was low on resource: memory.")
    assert "low on resource" in place.becomes("evicted", "Failed", "Evicted")["message"]


def test_an_account_that_cannot_be_read_is_never_success(place: Place, controller: Operator) -> None:
    place.run("garbled")
    place.ends(place.pod("garbled"), '{"kind":"Termination","reason":"Compl', 0)
    place.becomes("garbled", "Failed", "ResultUnreadable")


def test_an_attempt_that_ended_to_wait_is_followed_by_another_after_the_answer(
    place: Place, controller: Operator
) -> None:
    place.run("patient")
    pod = place.pod("patient")
    place.ends(pod, Termination(reason="Suspended", message="nobody answered within 600 s"), 51)
    assert place.becomes("patient", "Waiting", "Suspended")["waitingFor"] == "Answer"
    place.cluster.kubectl("annotate", "ar", "patient", "sympozium.ai/answered=1", "-n", place.namespace)
    second = place.pod("patient", attempt=2)
    status = until("the second attempt is told", lambda: place.status("patient") if _second(place) else None)
    assert status["jobName"].endswith("-2")
    place.ends(second, completed("after all"))
    assert place.becomes("patient", "Succeeded")["output"] == "after all"
    digests = {job["metadata"]["annotations"]["sympozium.ai/run-digest"] for job in place.jobs("patient")}
    assert digests == {status["runDigest"]}


def _second(place: Place) -> bool:
    return place.status("patient").get("attempt") == 2


def test_what_is_written_wrong_stops_nothing_else(place: Place, controller: Operator) -> None:
    place.instance("wrong", provider={"name": "scripted", "options": {"maxOutputTokens": "many"}})
    place.run("of-wrong", instance="wrong")
    status = place.becomes("of-wrong", "Failed", "InvalidDocument")
    assert "SympoziumInstance/wrong: spec.provider.options.maxOutputTokens" in status["message"]
    place.run("of-right")
    place.pod("of-right")
