"""What bears the labels of a run or service is made and changed by the control plane alone; tokens go to kubelets."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sympozium_controller.crds import guards
from sympozium_controller.crds.guards import AUDIENCE
from sympozium_controller.names import deployment_name, gateway_service, job_name, memory_service, run_id
from sympozium_protocol.bus import tokens
from tests.support.cluster import Cluster, Refused

CONTROLLER = ("--as=system:serviceaccount:sympozium-system:sympozium-controller", "--as-group=system:masters")
RUN = {
    "app.kubernetes.io/managed-by": "sympozium",
    "sympozium.ai/run": "a",
    "sympozium.ai/run-uid": "u",
    "sympozium.ai/egress": "none",
}
SERVICE = {"sympozium.ai/service": "model-a", "sympozium.ai/participant": "model"}
POD = {"containers": [{"name": "c", "image": "nowhere/none"}]}
REFUSAL = "only the control plane"


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[str]:
    """A namespace in which alone the policies hold."""
    with cluster.namespace() as name:
        documents = [_only_in(name, document) for document in guards()]
        cluster.apply(documents)
        until_refused(cluster, name)
        yield name
        for document in documents:
            cluster.kubectl("delete", document["kind"], document["metadata"]["name"], "--wait=false")


def _only_in(place: str, document: dict[str, Any]) -> dict[str, Any]:
    """Other tests make such objects by hand, in the same cluster."""
    name = f"{document['metadata']['name']}-{place}"
    spec = dict(document["spec"])
    if "policyName" in spec:
        selector = {"matchLabels": {"kubernetes.io/metadata.name": place}}
        spec |= {"policyName": name, "matchResources": {"namespaceSelector": selector}}
    return {**document, "metadata": {"name": name}, "spec": spec}


def until_refused(cluster: Cluster, place: str) -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        said = cluster.kubectl("create", "token", "default", f"--audience={AUDIENCE}", "-n", place, check=False)
        made = cluster.kubectl(
            "create", "-n", place, "--dry-run=server", "-f", "-", stdin=json.dumps(pod(RUN)), check=False
        )
        if "given to kubelets alone" in said and REFUSAL in made:
            return
    raise AssertionError(f"the policies do not hold: {said} {made}")


def pod(labels: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": labels}, "spec": POD}


def job(name: str, labels: dict[str, str], template: dict[str, str]) -> dict[str, Any]:
    whole = {"metadata": {"labels": template}, "spec": {**POD, "restartPolicy": "Never"}}
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": whole}}


def deployment(name: str, labels: dict[str, str], kind: str = "Deployment") -> dict[str, Any]:
    chosen = {"app": name}
    template = {"metadata": {"labels": chosen | labels}, "spec": POD}
    spec = {"replicas": 1, "selector": {"matchLabels": chosen}, "template": template}
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


def pods(cluster: Cluster, place: str, selector: str, count: int = 1) -> list[str]:
    """Their names, when there are so many."""
    ends = time.monotonic() + 60
    while True:
        found = cluster.kubectl("get", "pods", "-n", place, "-l", selector, "-o", "name").split()
        if len(found) == count:
            return found
        assert time.monotonic() < ends, f"{found} of {count}"


@pytest.fixture(scope="module")
def of_run(cluster: Cluster, place: str) -> str:
    """A pod that Kubernetes made from the controller's Job."""
    cluster.create(job("a", RUN, RUN), "-n", place, *CONTROLLER)
    return pods(cluster, place, "job-name=a")[0]


@pytest.fixture(scope="module")
def of_service(cluster: Cluster, place: str) -> str:
    """A pod that Kubernetes made from the controller's Deployment."""
    cluster.create(deployment("sympozium-model-a", SERVICE), "-n", place, *CONTROLLER)
    return pods(cluster, place, "app=sympozium-model-a")[0]


def test_from_what_the_controller_made_kubernetes_makes_pods(of_run: str, of_service: str) -> None:
    assert of_run.startswith("pod/a-")
    assert of_service.startswith("pod/sympozium-model-a-")


def test_the_controller_scales_and_changes_what_it_made(cluster: Cluster, place: str, of_service: str) -> None:
    words = ("deployment/sympozium-model-a", "-n", place)
    cluster.kubectl("scale", *words, "--replicas=2", *CONTROLLER)
    pods(cluster, place, "app=sympozium-model-a", 2)
    cluster.kubectl("set", "image", *words, "c=nowhere/other", *CONTROLLER)
    cluster.kubectl("scale", *words, "--replicas=0", *CONTROLLER)
    pods(cluster, place, "app=sympozium-model-a", 0)


MADE = {
    "a pod of a run": pod(RUN),
    "a pod that others may reach": pod({"sympozium.ai/egress": "all"}),
    "a Job of a run": job("b", RUN, {}),
    "a Job whose pods are a run's": job("b", {}, RUN),
    "a Deployment of a service": deployment("b", SERVICE),
    "a ReplicaSet of a service": deployment("b", SERVICE, "ReplicaSet"),
    "a DaemonSet of a service": {
        **deployment("b", SERVICE, "DaemonSet"),
        "spec": {name: value for name, value in deployment("b", SERVICE)["spec"].items() if name != "replicas"},
    },
}


@pytest.mark.parametrize("what", MADE)
def test_nobody_else_makes_what_bears_such_labels(cluster: Cluster, place: str, what: str) -> None:
    with pytest.raises(Refused, match="only the control plane makes what bears them"):
        cluster.create(MADE[what], "-n", place, "--dry-run=server")


def test_nobody_else_changes_what_bears_them(cluster: Cluster, place: str, of_run: str, of_service: str) -> None:
    changes = (
        ("label", of_run, "sympozium.ai/egress-"),
        ("label", of_run, "sympozium.ai/egress=all", "--overwrite"),
        ("set", "image", of_run, "c=mine/mine"),
        ("debug", of_run, "--image=mine/mine", "-q"),
        ("set", "image", "deployment/sympozium-model-a", "c=mine/mine"),
    )
    for words in changes:
        with pytest.raises(Refused, match="only the control plane changes it"):
            cluster.kubectl(*words, "-n", place)
    cluster.kubectl("label", of_run, "mine=yes", "-n", place)


FROZEN = {
    "an annotation that its programs read": ("annotate", "sympozium.ai/run-spec=mine"),
    "the number of the attempt": ("label", "sympozium.ai/attempt=9"),
    "who made it": ("label", "app.kubernetes.io/managed-by=me", "--overwrite"),
    "that anybody made it": ("label", "app.kubernetes.io/managed-by-"),
    "its owner": ("patch", "--type=merge", "-p", '{"metadata":{"ownerReferences":null}}'),
}


@pytest.mark.parametrize("what", FROZEN)
def test_what_a_run_is_known_by_stays_as_it_was_made(cluster: Cluster, place: str, of_run: str, what: str) -> None:
    verb, *words = FROZEN[what]
    with pytest.raises(Refused, match="only the control plane changes it"):
        cluster.kubectl(verb, of_run, *words, "-n", place)


def test_an_account_and_a_config_map_of_a_run_are_changed_by_nobody_else(cluster: Cluster, place: str) -> None:
    for kind in ("ServiceAccount", "ConfigMap"):
        one = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "c", "labels": RUN}}
        cluster.create(one, "-n", place, *CONTROLLER)
        with pytest.raises(Refused, match="only the control plane changes it"):
            cluster.kubectl("annotate", kind, "c", "sympozium.ai/granted-in=*", "-n", place)
        cluster.kubectl("annotate", kind, "c", "mine=yes", "-n", place)
        cluster.kubectl("create", kind.lower(), "mine", "-n", place)
        cluster.kubectl("annotate", kind, "mine", "sympozium.ai/mine=yes", "-n", place)


def test_nobody_else_keeps_what_was_made_from_going(cluster: Cluster, place: str, of_run: str) -> None:
    held, free = (json.dumps({"metadata": {"finalizers": found}}) for found in (["test.example/hold"], None))
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "held", "labels": RUN}}
    cluster.create(account, "-n", place, *CONTROLLER)
    for one in ("job/a", of_run, "serviceaccount/held"):
        patch = ("patch", one, "-n", place, "--type=merge", "-p")
        with pytest.raises(Refused, match="only the control plane changes it"):
            cluster.kubectl(*patch, held)
    patch = ("patch", "serviceaccount/held", "-n", place, "--type=merge", "-p")
    cluster.kubectl(*patch, held, *CONTROLLER)
    cluster.kubectl(*patch, free)
    cluster.kubectl("delete", "serviceaccount", "held", "-n", place, "--cascade=foreground", "--timeout=60s")


def test_what_is_owned_by_nobody_any_more_loses_its_owner(cluster: Cluster, place: str) -> None:
    cluster.create(job("orphaned", RUN, RUN), "-n", place, *CONTROLLER)
    pods(cluster, place, "job-name=orphaned")
    cluster.kubectl("delete", "job", "orphaned", "-n", place, "--cascade=orphan", "--timeout=60s")
    (left,) = pods(cluster, place, "job-name=orphaned")
    assert "ownerReferences" not in cluster.get(left, "-n", place)["metadata"]
    cluster.kubectl("delete", left, "-n", place)


NO_HOST = "does not have a host assigned"
"""What the server says of a pod of no node, once nothing spoke against going in."""


@pytest.fixture(scope="module")
def tenant(cluster: Cluster, place: str) -> tuple[str, ...]:
    """Words for kubectl, as somebody with Kubernetes' edit."""
    cluster.kubectl("create", "rolebinding", "tenant", "--clusterrole=edit", "--user=tenant", "-n", place)
    return ("--as=tenant", "--as-group=system:authenticated", "-n", place)


def entering(cluster: Cluster, *words: str) -> str:
    return cluster.kubectl("exec", *words, "--", "true", check=False)


def test_nobody_but_a_cluster_admin_enters_the_gate_of_a_run(
    cluster: Cluster, place: str, tenant: tuple[str, ...]
) -> None:
    names = {
        job_name(run_id("r" * length, "u"), attempt) for length in (1, 44, 45, 46, 47, 48) for attempt in (1, 2, 12)
    }
    gates = {"initContainers": [{"name": one, "image": "nowhere/none"} for one in ("bridge", "sympozium-restore")]}
    template = {"metadata": {"labels": RUN}, "spec": {**POD, **gates, "restartPolicy": "Never"}}
    cluster.create(
        [{**job(name, RUN, RUN), "spec": {"template": template}} for name in names], "-n", place, *CONTROLLER
    )
    for name in sorted(names):
        (one,) = pods(cluster, place, f"job-name={name}")
        for gate in ("bridge", "sympozium-restore"):
            assert "the gate of a run" in entering(cluster, one, "-c", gate, *tenant), one
    assert "the gate of a run" in cluster.kubectl("attach", one, "-c", "bridge", *tenant, check=False)
    assert NO_HOST in entering(cluster, one, "-c", "c", *tenant)
    assert NO_HOST in entering(cluster, one, *tenant)
    assert NO_HOST in entering(cluster, one, "-c", "bridge", "-n", place)


def test_nobody_but_a_cluster_admin_enters_a_service(cluster: Cluster, place: str, tenant: tuple[str, ...]) -> None:
    for service in (gateway_service(place, "p", "", ""), memory_service(place, "i")):
        name = deployment_name(service)
        cluster.create(deployment(name, SERVICE), "-n", place, *CONTROLLER)
        (one,) = pods(cluster, place, f"app={name}")
        assert "a service of runs" in entering(cluster, one, *tenant)
        assert NO_HOST in entering(cluster, one, "-n", place)


def test_pods_of_others_are_entered_as_ever(cluster: Cluster, place: str, tenant: tuple[str, ...]) -> None:
    named = {"name": "sympozium-bridge-x", "namespace": place}
    body = {"containers": [{"name": "bridge", "image": "nowhere/none"}]}
    cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": named, "spec": body})
    assert NO_HOST in entering(cluster, "pod/sympozium-bridge-x", "-c", "bridge", *tenant)


def test_what_bears_none_is_nobodys_business(cluster: Cluster, place: str) -> None:
    cluster.create(pod({"app": "mine"}), "-n", place)
    with pytest.raises(Refused, match=REFUSAL):
        cluster.kubectl("label", "pod/p", "sympozium.ai/run-uid=u", "-n", place)
    cluster.kubectl("label", "pod/p", "app=other", "--overwrite", "-n", place)
    cluster.create(deployment("mine", {}), "-n", place)
    pods(cluster, place, "app=mine")


def test_what_was_made_goes_when_it_is_deleted(cluster: Cluster, place: str, of_run: str) -> None:
    cluster.kubectl("delete", "job", "a", "-n", place, "--cascade=foreground", "--timeout=60s")
    pods(cluster, place, "job-name=a", 0)


def test_nobody_but_a_kubelet_has_a_token_for_the_bus(cluster: Cluster, place: str) -> None:
    assert AUDIENCE == tokens.AUDIENCE
    with pytest.raises(Refused, match="given to kubelets alone"):
        cluster.kubectl("create", "token", "default", "--audience=else", f"--audience={AUDIENCE}", "-n", place)
    assert cluster.kubectl("create", "token", "default", "--audience=else", "-n", place)
