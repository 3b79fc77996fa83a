"""What happens to a run when something of it is taken away, or it is no longer wanted, at an awkward moment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sympozium_protocol.messages.termination import Termination
from tests.support.cluster import Cluster
from tests.support.cluster_definitions import define_kinds
from tests.support.controlling import Operator, Place, completed, operating, until

SUSPENDED = Termination(reason="Suspended", message="nobody answered within 600 s")


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[Place]:
    define_kinds(cluster)
    with cluster.namespace() as name:
        yield Place(cluster, name)


@pytest.fixture(scope="module")
def controller(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    place.instance()
    with operating(place.cluster, place.namespace, tmp_path_factory.mktemp("controller")) as found:
        yield found


@pytest.fixture(autouse=True)
def _goes_on(controller: Operator) -> Iterator[None]:
    yield
    assert controller.process.poll() is None, controller.log()
    assert controller.told("fault") is None


def hold(place: Place, pod: str, *, on: bool) -> None:
    """Keep the pod there when it is deleted, as a node does that does not answer."""
    body = json.dumps({"metadata": {"finalizers": ["test.example/hold"] if on else None}})
    place.cluster.kubectl("patch", "pod", pod, "-n", place.namespace, "--type=merge", "-p", body)


def is_there(place: Place, kind: str, name: str) -> bool:
    return any(one["metadata"]["name"] == name for one in place.items(kind))


def names_of(place: Place, kind: str, uid: str) -> list[str]:
    return [one["metadata"]["name"] for one in place.items(kind, "-l", f"sympozium.ai/run-uid={uid}")]


def test_a_run_that_lacks_something_is_cancelled_at_once(place: Place, controller: Operator) -> None:
    place.run("lacking", instance="nowhere")
    place.becomes("lacking", "Waiting", "MissingReference")
    place.run("lacking", instance="nowhere", cancel=True)
    status = place.becomes("lacking", "Cancelled")
    assert (status["reason"], status["waitingFor"]) == ("Cancelled", "")
    assert not place.jobs("lacking")


def test_a_run_that_no_quota_lets_in_is_cancelled_and_leaves_no_job(place: Place, controller: Operator) -> None:
    place.cluster.kubectl("create", "quota", "jobless", "--hard=count/jobs.batch=0", "-n", place.namespace)
    try:
        place.run("kept-out")
        place.becomes("kept-out", "Pending", "PodRefused")
        place.run("kept-out", cancel=True)
        place.becomes("kept-out", "Cancelled")
        assert not place.jobs("kept-out")
    finally:
        place.cluster.kubectl("delete", "quota", "jobless", "-n", place.namespace)


def test_a_run_whose_account_somebody_deleted_gets_its_pod(place: Place, controller: Operator) -> None:
    place.run("first-of-all")
    place.ends(place.pod("first-of-all"), completed())
    place.becomes("first-of-all", "Succeeded")
    place.cluster.kubectl("delete", "serviceaccount", "sympozium-run", "-n", place.namespace)
    place.run("robbed")
    place.becomes("robbed", "Pending", "PodRefused")
    place.ends(place.pod("robbed"), completed())
    place.becomes("robbed", "Succeeded")


def test_a_suspended_run_is_cancelled_without_another_attempt(place: Place, controller: Operator) -> None:
    place.run("unanswered")
    place.ends(place.pod("unanswered"), SUSPENDED, 51)
    place.becomes("unanswered", "Waiting", "Suspended")
    place.run("unanswered", cancel=True)
    assert place.becomes("unanswered", "Cancelled")["attempt"] == 1
    assert len(place.jobs("unanswered")) == 1


def test_a_run_that_is_deleted_while_the_pod_before_is_still_there_begins_no_other(
    place: Place, controller: Operator
) -> None:
    place.run("leaving")
    uid = place.get("ar", "leaving")["metadata"]["uid"]
    pod = place.pod("leaving")
    hold(place, pod, on=True)
    place.ends(pod, SUSPENDED, 51)
    place.becomes("leaving", "Waiting", "Suspended")
    place.cluster.kubectl("annotate", "ar", "leaving", "sympozium.ai/answered=1", "-n", place.namespace)
    until("the pod is told to go", lambda: place.get("pod", pod)["metadata"].get("deletionTimestamp"))
    place.cluster.kubectl("delete", "ar", "leaving", "-n", place.namespace, "--wait=false")
    until("the run is gone", lambda: not is_there(place, "ar", "leaving"))
    hold(place, pod, on=False)
    until("nothing of it is left", lambda: not names_of(place, "pods", uid) and not names_of(place, "jobs", uid))


def test_a_run_that_is_deleted_while_its_pod_is_told_to_end_leaves_nothing(place: Place, controller: Operator) -> None:
    place.run("unwanted")
    uid = place.get("ar", "unwanted")["metadata"]["uid"]
    pod = place.pod("unwanted")
    place.begins(pod)
    place.becomes("unwanted", "Running")
    hold(place, pod, on=True)
    place.run("unwanted", cancel=True)
    until("its Job is to end", lambda: place.jobs("unwanted")[0]["spec"]["activeDeadlineSeconds"] == 1)
    place.cluster.kubectl("delete", "ar", "unwanted", "-n", place.namespace, "--wait=false")
    hold(place, pod, on=False)
    until("nothing of it is left", lambda: not names_of(place, "pods", uid) and not names_of(place, "jobs", uid))


def test_a_run_goes_on_whose_instance_is_deleted_and_no_other_begins(place: Place, controller: Operator) -> None:
    place.instance("passing", maxConcurrentRuns=1)
    place.run("begun", instance="passing")
    pod = place.pod("begun")
    place.begins(pod)
    place.becomes("begun", "Running")
    place.run("next", instance="passing")
    place.becomes("next", "Waiting", "InLine")
    place.cluster.kubectl("delete", "si", "passing", "-n", place.namespace)
    place.ends(pod, completed("to the end"))
    assert place.becomes("begun", "Succeeded")["output"] == "to the end"
    assert place.becomes("next", "Waiting", "MissingReference")["waitingFor"] == "SympoziumInstance/passing"
    assert not place.jobs("next")


def test_a_run_keeps_the_policy_that_it_began_with_when_that_is_deleted(place: Place, controller: Operator) -> None:
    place.apply("SympoziumPolicy", "strict", {"template": "Permissive", "deniedTools": ["execute_command"]})
    place.instance("bound", policy="strict")
    place.run("frozen", instance="bound")
    (first,) = until("it has a Job", lambda: place.jobs("frozen"))
    place.cluster.kubectl("delete", "spol", "strict", "-n", place.namespace)
    place.ends(place.pod("frozen"), SUSPENDED, 51)
    place.becomes("frozen", "Waiting", "Suspended")
    place.cluster.kubectl("annotate", "ar", "frozen", "sympozium.ai/answered=1", "-n", place.namespace)
    place.ends(place.pod("frozen", attempt=2), completed())
    place.becomes("frozen", "Succeeded")
    assert {run_spec(one) for one in place.jobs("frozen")} == {run_spec(first)}
    place.run("late", instance="bound")
    assert place.becomes("late", "Waiting", "MissingReference")["waitingFor"] == "SympoziumPolicy/strict"


def run_spec(job: dict[str, Any]) -> str:
    """The digest of the RunSpec that is frozen in it."""
    return str(job["metadata"]["annotations"]["sympozium.ai/run-digest"])


@pytest.mark.parametrize("kind", ["agentrun", "job"])
def test_nothing_goes_on_of_a_run_that_was_deleted_without_what_it_made(
    place: Place, controller: Operator, kind: str
) -> None:
    run = f"without-{kind}"
    place.run(run)
    uid = place.get("ar", run)["metadata"]["uid"]
    place.begins(place.pod(run))
    place.becomes(run, "Running")
    name = run if kind == "agentrun" else place.jobs(run)[0]["metadata"]["name"]
    place.cluster.kubectl("delete", kind, name, "-n", place.namespace, "--cascade=orphan", "--timeout=60s")
    until("nothing of it is left", lambda: not names_of(place, "pods", uid) and not names_of(place, "jobs", uid))


def test_nothing_goes_on_of_a_run_whose_deletion_somebody_holds_up(place: Place, controller: Operator) -> None:
    place.run("held-up")
    uid = place.get("ar", "held-up")["metadata"]["uid"]
    place.begins(place.pod("held-up"))
    place.becomes("held-up", "Running")
    held = json.dumps({"metadata": {"finalizers": ["test.example/hold"]}})
    place.cluster.kubectl("patch", "ar", "held-up", "-n", place.namespace, "--type=merge", "-p", held)
    place.cluster.kubectl("delete", "ar", "held-up", "-n", place.namespace, "--wait=false")
    try:
        until("nothing of it is left", lambda: not names_of(place, "pods", uid) and not names_of(place, "jobs", uid))
    finally:
        free = json.dumps({"metadata": {"finalizers": None}})
        place.cluster.kubectl("patch", "ar", "held-up", "-n", place.namespace, "--type=merge", "-p", free)


def test_a_finished_run_keeps_its_job_for_its_logs(place: Place, controller: Operator) -> None:
    place.run("finished")
    place.ends(place.pod("finished"), completed())
    place.becomes("finished", "Succeeded")
    (job,) = until("it is kept for a while", lambda: [one for one in place.jobs("finished") if _kept(one)])
    assert not job["metadata"].get("deletionTimestamp")


def _kept(job: dict[str, Any]) -> bool:
    return "ttlSecondsAfterFinished" in job["spec"]
