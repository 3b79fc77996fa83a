"""Controllers that die between two writes, two of them at once, runs that are deleted at any moment."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sympozium_controller.names import run_id
from tests.support.cluster import Cluster
from tests.support.cluster_definitions import define_kinds
from tests.support.controlling import RUN, Operator, Place, Supervised, completed, operating, until

DEATHS = (
    "before-job",
    "after-job",
    "before-status",
    "after-status",
    "before-status#2",
    "after-status#2",
    "before-status#3",
    "after-status#3",
)
"""Each a moment between two writes, in the order in which a run comes to them."""


@pytest.fixture(scope="module", autouse=True)
def kinds_are_known(cluster: Cluster) -> None:
    define_kinds(cluster)


@pytest.fixture
def place(cluster: Cluster, namespace: str) -> Place:
    found = Place(cluster, namespace)
    found.instance()
    return found


@pytest.mark.parametrize("death", DEATHS)
def test_a_controller_that_is_killed_between_two_writes_loses_nothing_and_makes_nothing_twice(
    place: Place, tmp_path: Path, death: str
) -> None:
    died = tmp_path / "died"
    settings = {"SYMPOZIUM_FAILPOINT": f"{death}@{died}", "SYMPOZIUM_LEASE_SECONDS": "2"}
    with Supervised(place.cluster, place.namespace, tmp_path, **settings):
        place.run("mortal")
        pod = place.pod("mortal")
        place.begins(pod)
        place.becomes("mortal", "Running")
        place.ends(pod, completed("whole"))
        status = place.becomes("mortal", "Succeeded")
        until("it died", died.exists)
        (job,) = place.jobs("mortal")
    assert status["jobUID"] == job["metadata"]["uid"]
    assert (status["output"], status["usage"]["inputTokens"], status["attempt"]) == ("whole", 12, 1)
    assert status["runDigest"] == job["metadata"]["annotations"]["sympozium.ai/run-digest"]


def test_one_of_two_controllers_acts_and_the_other_takes_over(place: Place, tmp_path: Path) -> None:
    with operating(place.cluster, place.namespace, tmp_path) as first:
        second = Operator(place.cluster, place.namespace, tmp_path)
        try:
            until("the second listens", lambda: second.told("listens"))
            place.run("of-the-first")
            place.pod("of-the-first")
            assert second.told("acts") is None
            first.stop(signal.SIGKILL)
            place.run("of-the-second")
            place.pod("of-the-second")
            assert second.told("acts")
        finally:
            assert second.stop() == 0


def test_a_controller_that_lost_its_lease_ends(place: Place, tmp_path: Path) -> None:
    with operating(place.cluster, place.namespace, tmp_path) as controller:
        stolen = '{"spec":{"holderIdentity":"another","leaseDurationSeconds":3600}}'
        place.cluster.kubectl(
            "patch", "lease", "sympozium-controller", "-n", place.namespace, "--type=merge", "-p", stolen
        )
        assert controller.process.wait(30) == 77
        assert (controller.told("ended") or {})["reason"] == "LeaseLost"


def test_a_strangers_job_of_the_same_name_is_told_and_left_alone(place: Place, tmp_path: Path) -> None:
    place.run("taken")
    name = run_id("taken", place.get("ar", "taken")["metadata"]["uid"])
    container = {"name": "c", "image": "c"}
    place.cluster.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "namespace": place.namespace},
            "spec": {"suspend": True, "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
        }
    )
    with operating(place.cluster, place.namespace, tmp_path):
        assert f"there is a Job {name} already" in place.becomes("taken", "Failed", "NameTaken")["message"]
    assert place.get("job", name)["spec"]["suspend"] is True


def test_a_job_that_somebody_deleted_fails_its_run(place: Place, tmp_path: Path) -> None:
    with operating(place.cluster, place.namespace, tmp_path):
        place.run("robbed")
        place.begins(place.pod("robbed"))
        place.becomes("robbed", "Running")
        (job,) = place.jobs("robbed")
        place.cluster.kubectl("delete", "job", job["metadata"]["name"], "-n", place.namespace, "--wait=false")
        place.becomes("robbed", "Failed", "JobLost")


KINDS = ("jobs", "pods", "serviceaccounts", "roles", "rolebindings", "configmaps")


def _left(place: Place, other: str, uid: str) -> list[str]:
    places = (place.namespace, other)
    return [
        f"{one['kind']}/{one['metadata']['name']}"
        for name in places
        for one in place.cluster.get(",".join(KINDS), "-n", name, "-l", f"{RUN}={uid}")["items"]
    ]


@pytest.fixture
def other(cluster: Cluster) -> Iterator[str]:
    with cluster.namespace() as name:
        yield name


@pytest.fixture
def rightful(place: Place, other: str) -> Place:
    """Runs of the instance ``acting`` have rights in another namespace."""
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
    sidecar: dict[str, Any] = {"image": "skill-shell", "commands": [], "rbac": [rule]}
    place.apply("SkillPack", "look", {"description": "looks", "sidecar": sidecar})
    place.instance("acting", skills=["look"], skillConfig={"look": {"namespaces": [other, place.namespace]}})
    return place


@pytest.mark.parametrize("moment", ["at once", "with a pod", "running", "ended"])
def test_a_run_that_is_deleted_leaves_nothing(rightful: Place, other: str, tmp_path: Path, moment: str) -> None:
    with operating(rightful.cluster, rightful.namespace, tmp_path):
        rightful.run("brief", instance="acting")
        uid = rightful.get("ar", "brief")["metadata"]["uid"]
        if moment != "at once":
            pod = rightful.pod("brief")
            assert "Role" in {one.partition("/")[0] for one in _left(rightful, other, uid)}
            if moment == "running":
                rightful.begins(pod)
                rightful.becomes("brief", "Running")
            if moment == "ended":
                rightful.ends(pod, completed())
                rightful.becomes("brief", "Succeeded")
        rightful.cluster.kubectl("delete", "ar", "brief", "-n", rightful.namespace, "--wait=false")
        until("nothing is left", lambda: not _left(rightful, other, uid))


def test_rights_go_when_the_run_ends_and_its_job_stays(rightful: Place, other: str, tmp_path: Path) -> None:
    with operating(rightful.cluster, rightful.namespace, tmp_path):
        rightful.run("acted", instance="acting")
        uid = rightful.get("ar", "acted")["metadata"]["uid"]
        pod = rightful.pod("acted")
        held = {one.partition("/")[0] for one in _left(rightful, other, uid)}
        assert held == {"Job", "Pod", "ServiceAccount", "Role", "RoleBinding"}
        rightful.ends(pod, completed())
        rightful.becomes("acted", "Succeeded")
        until("its rights are gone", lambda: {one.partition("/")[0] for one in _left(rightful, other, uid)} <= RAN)


RAN = {"Job", "Pod"}


def test_rights_of_a_run_that_was_deleted_while_nobody_watched_are_swept(
    rightful: Place, cluster: Cluster, other: str, tmp_path: Path
) -> None:
    watched = {"SYMPOZIUM_WATCH_NAMESPACES": f"{rightful.namespace},{other}"}
    with operating(cluster, rightful.namespace, tmp_path, **watched) as controller:
        rightful.run("forgotten", instance="acting")
        uid = rightful.get("ar", "forgotten")["metadata"]["uid"]
        rightful.pod("forgotten")
        controller.stop(signal.SIGKILL)
    cluster.kubectl("delete", "ar", "forgotten", "-n", rightful.namespace)
    until("what it owned is gone", lambda: {one.partition("/")[0] for one in _left(rightful, other, uid)} <= ROLES)
    assert _left(rightful, other, uid)
    with operating(cluster, rightful.namespace, tmp_path, **watched):
        until("nothing is left", lambda: not _left(rightful, other, uid))


ROLES = {"Role", "RoleBinding"}


def test_rights_of_a_run_whose_account_was_replaced_while_nobody_watched_go_when_it_ends(
    rightful: Place, cluster: Cluster, other: str, tmp_path: Path
) -> None:
    watched = {"SYMPOZIUM_WATCH_NAMESPACES": f"{rightful.namespace},{other}"}
    with operating(cluster, rightful.namespace, tmp_path, **watched) as controller:
        rightful.run("robbed-of-it", instance="acting")
        uid = rightful.get("ar", "robbed-of-it")["metadata"]["uid"]
        rightful.begins(rightful.pod("robbed-of-it"))
        rightful.becomes("robbed-of-it", "Running")
        controller.stop(signal.SIGKILL)
    (account,) = rightful.items("serviceaccounts", "-l", f"{RUN}={uid}")
    name = account["metadata"]["name"]
    cluster.kubectl("delete", "serviceaccount", name, "-n", rightful.namespace)
    cluster.kubectl("create", "serviceaccount", name, "-n", rightful.namespace)
    labels = {"app.kubernetes.io/managed-by": "sympozium", RUN: "of-nobody"}
    last = {"name": "last", "namespace": other, "labels": labels}
    cluster.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": last})
    with operating(cluster, rightful.namespace, tmp_path, **watched):
        until("a sweep came to its end", lambda: not _left(rightful, other, "of-nobody"))
        assert {one.partition("/")[0] for one in _left(rightful, other, uid)} >= ROLES
        rightful.run("robbed-of-it", instance="acting", cancel=True)
        rightful.becomes("robbed-of-it", "Cancelled")
        until("its rights are gone", lambda: {one.partition("/")[0] for one in _left(rightful, other, uid)} <= RAN)
