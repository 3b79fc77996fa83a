"""An instance on a real API server: its gateway, its memory, its network policies, and what its status says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sympozium_controller.names import deployment_name, gateway_service, memory_claim, memory_service
from tests.support.cluster import Cluster
from tests.support.cluster_definitions import define_kinds
from tests.support.controlling import Operator, Place, completed, operating, until

OPENAI = {"name": "openai", "model": "m", "apiKeySecret": "keys"}


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
    with operating(place.cluster, place.namespace, folder, SYMPOZIUM_MEMORY_IDLE="1") as found:
        yield found


@pytest.fixture(autouse=True)
def _clean(place: Place, controller: Operator) -> Iterator[None]:
    yield
    place.cluster.kubectl("delete", "si,ar", "--all", "-n", place.namespace, "--wait=true")


def secret(place: Place, name: str = "keys", **data: str) -> None:
    document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": place.namespace}}
    place.cluster.apply({**document, "stringData": data or {"apiKey": "not-a-real-key"}})


def no_secret(place: Place, name: str = "keys") -> None:
    place.cluster.kubectl("delete", "secret", name, "-n", place.namespace, "--ignore-not-found")


def ready(place: Place, name: str, reason: str) -> dict[str, Any]:
    """The condition, once it has this reason."""

    def look() -> dict[str, Any] | None:
        status = place.get("si", name).get("status", {})
        found = next((one for one in status.get("conditions", ()) if one["type"] == "Ready"), None)
        return {**found, "gateway": status["gateway"]} if found and found["reason"] == reason else None

    return until(f"{name} is {reason}", look)


def gateway(place: Place, **provider: str) -> str:
    found = {**OPENAI, **provider}
    return deployment_name(
        gateway_service(place.namespace, found["name"], found.get("baseURL", ""), found["apiKeySecret"])
    )


def deployment(place: Place, name: str) -> dict[str, Any] | None:
    found = [one for one in place.items("deployments") if one["metadata"]["name"] == name]
    return found[0] if found else None


def owners(document: dict[str, Any]) -> set[str]:
    return {one["name"] for one in document["metadata"].get("ownerReferences", ())}


def service_pod(place: Place) -> str | None:
    """The name of a pod of a service."""
    found = place.items("pods", "-l", "sympozium.ai/service")
    return str(found[0]["metadata"]["name"]) if found else None


def patch_pod(place: Place, name: str, status: dict[str, Any]) -> None:
    """As a kubelet would tell: there is no node here."""
    body = json.dumps({"status": status})
    words = ("patch", "pod", name, "-n", place.namespace, "--subresource=status", "--type=merge", "-p", body)
    place.cluster.kubectl(*words)


def test_a_missing_secret_is_named_and_its_coming_makes_the_gateway(place: Place) -> None:
    no_secret(place)
    place.instance("keyless", provider=OPENAI)
    told = ready(place, "keyless", "MissingSecret")
    assert told["status"] == "False"
    assert "there is no Secret keys" in told["message"]
    assert "spec.provider.apiKeySecret" in told["message"]
    secret(place, other="x")
    until("the key is named", lambda: "key apiKey" in ready(place, "keyless", "MissingSecret")["message"])
    assert deployment(place, gateway(place)) is None
    secret(place)
    made = until("the gateway is made", lambda: deployment(place, gateway(place)))
    assert owners(made) == {"keyless"}
    assert "not-a-real-key" not in str(made)


def test_the_status_says_when_the_gateway_serves(place: Place) -> None:
    secret(place)
    place.instance("served", provider=OPENAI)
    assert ready(place, "served", "Unschedulable")["gateway"] == gateway(place)  # there is no node here
    pod = until("its pod is made", lambda: service_pod(place))
    stuck = {"name": "model", "image": "i", "imageID": "", "ready": False, "restartCount": 0, "started": False}
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}
    patch_pod(place, pod, {"containerStatuses": [{**stuck, "state": waiting}]})
    assert "no such image" in ready(place, "served", "ImageUnavailable")["message"]
    runs = {**stuck, "ready": True, "started": True, "state": {"running": {"startedAt": "2026-11-21T10:00:00Z"}}}
    conditions = [{"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"}]
    patch_pod(place, pod, {"phase": "Running", "containerStatuses": [runs], "conditions": conditions})
    assert ready(place, "served", "Available")["status"] == "True"


def test_instances_share_a_gateway_that_goes_with_the_last_of_them(place: Place) -> None:
    secret(place)
    place.instance("first", provider=OPENAI)
    place.instance("second", provider={**OPENAI, "model": "another"})
    name = gateway(place)
    until("both own it", lambda: owners(deployment(place, name) or {"metadata": {}}) == {"first", "second"})
    place.cluster.kubectl("delete", "si", "first", "-n", place.namespace)
    until("the other owns it alone", lambda: owners(deployment(place, name) or {"metadata": {}}) == {"second"})
    place.cluster.kubectl("delete", "si", "second", "-n", place.namespace)
    until("it is gone", lambda: deployment(place, name) is None)


def test_an_instance_that_names_another_provider_gets_another_gateway_and_the_old_one_goes(place: Place) -> None:
    secret(place)
    place.instance("moving", provider=OPENAI)
    until("the first is there", lambda: deployment(place, gateway(place)))
    place.instance("moving", provider={**OPENAI, "name": "anthropic"})
    until("the second is there", lambda: deployment(place, gateway(place, name="anthropic")))
    until("the first is gone", lambda: deployment(place, gateway(place)) is None)
    place.instance("moving", provider={"name": "scripted"})
    until("none is left", lambda: deployment(place, gateway(place, name="anthropic")) is None)
    assert ready(place, "moving", "Available")["gateway"] == ""


def test_a_gateway_that_somebody_deletes_is_made_again(place: Place) -> None:
    secret(place)
    place.instance("again", provider=OPENAI)
    first = until("it is there", lambda: deployment(place, gateway(place)))
    place.cluster.kubectl("delete", "deployment", gateway(place), "-n", place.namespace)
    until(
        "another is there",
        lambda: (deployment(place, gateway(place)) or first)["metadata"]["uid"] != first["metadata"]["uid"],
    )


def test_a_strangers_deployment_of_a_gateways_name_is_left_alone_and_told(place: Place) -> None:
    secret(place)
    labels = {"matchLabels": {"app": "theirs"}}
    pod = {"metadata": {"labels": {"app": "theirs"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    theirs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": gateway(place), "namespace": place.namespace},
        "spec": {"replicas": 0, "selector": labels, "template": pod},
    }
    place.cluster.apply(theirs)
    try:
        place.instance("squatted", provider=OPENAI)
        assert gateway(place) in ready(place, "squatted", "NameTaken")["message"]
        assert "sympozium.ai/service" not in str(deployment(place, gateway(place)))
    finally:
        place.cluster.kubectl("delete", "deployment", gateway(place), "-n", place.namespace)
    place.instance("squatted", provider={**OPENAI, "model": "another"})
    until("ours is made", lambda: owners(deployment(place, gateway(place)) or {"metadata": {}}) == {"squatted"})


def test_a_gateway_whose_account_somebody_deletes_gets_its_pods_again(place: Place) -> None:
    secret(place)
    place.instance("robbed", provider=OPENAI)
    pod = until("it has a pod", lambda: service_pod(place))
    place.cluster.kubectl("delete", "serviceaccount", "sympozium-service", "-n", place.namespace)
    place.cluster.kubectl("delete", "pod", pod, "-n", place.namespace, "--force")
    until("it has another pod", lambda: service_pod(place) not in (None, pod))


def test_a_gateway_that_somebody_scales_is_scaled_back(place: Place) -> None:
    secret(place)
    place.instance("scaled", provider=OPENAI)
    name = gateway(place)
    until("it is made", lambda: deployment(place, name))
    place.cluster.kubectl("scale", f"deployment/{name}", "--replicas=0", "-n", place.namespace)
    until("it is scaled back", lambda: (deployment(place, name) or {})["spec"]["replicas"] == 1)
    assert ready(place, "scaled", "Unschedulable")


def test_what_a_run_would_lack_is_named_in_the_status(place: Place) -> None:
    place.instance("lacking", skills=["unheard-of"])
    assert "unheard-of" in ready(place, "lacking", "MissingSkillPack")["message"]
    place.instance("lacking", skills=[])
    assert ready(place, "lacking", "Available")["status"] == "True"


def test_a_provider_that_cannot_be_reached_from_pods_is_a_fault_of_its_field(place: Place) -> None:
    place.instance("laptop", provider={"name": "ollama", "model": "m"})
    assert "spec.provider.baseURL" in ready(place, "laptop", "InvalidDocument")["message"]


def memory(place: Place, instance: str) -> dict[str, Any] | None:
    return deployment(place, deployment_name(memory_service(place.namespace, instance)))


def claim(place: Place, instance: str) -> dict[str, Any] | None:
    found = [one for one in place.items("pvc") if one["metadata"]["name"] == memory_claim(instance)]
    return found[0] if found else None


def test_a_memory_starts_when_it_is_wanted_and_stops_when_it_is_not(place: Place) -> None:
    place.instance("mindful", memory={"enabled": True})
    until("it has its volume", lambda: claim(place, "mindful"))
    ready(place, "mindful", "Available")
    assert memory(place, "mindful") is None
    place.run("asks", instance="mindful")
    found = until("it is started", lambda: memory(place, "mindful"))
    assert found["spec"]["replicas"] == 1
    assert owners(found) == {"mindful"}
    place.ends(place.pod("asks"), completed())
    place.becomes("asks", "Succeeded")
    until("it is stopped", lambda: (memory(place, "mindful") or found)["spec"]["replicas"] == 0)
    place.run("asks-again", instance="mindful")
    until("it is started again", lambda: (memory(place, "mindful") or found)["spec"]["replicas"] == 1)


def test_a_retained_memory_outlives_its_instance_and_another_does_not(place: Place) -> None:
    place.instance("kept", memory={"enabled": True, "retain": "Retain"})
    place.instance("forgotten", memory={"enabled": True})
    for name in ("kept", "forgotten"):
        until("it has its volume", lambda name=name: claim(place, name))  # type: ignore[misc]
    place.cluster.kubectl("delete", "si", "kept", "forgotten", "-n", place.namespace)
    # a claim that no pod has mounted goes at once; nothing protects it
    until("the other's is gone", lambda: claim(place, "forgotten") is None)
    found = claim(place, "kept")
    assert found is not None
    assert not found["metadata"].get("deletionTimestamp")
    place.cluster.kubectl("delete", "pvc", "kept-memory", "-n", place.namespace)


def test_a_memory_in_the_pod_is_refused_where_several_runs_go_at_once(place: Place) -> None:
    place.instance("crowded", memory={"enabled": True, "placement": "sidecar"})
    assert "spec.memory.placement" in ready(place, "crowded", "InvalidDocument")["message"]
    place.instance("crowded", memory={"enabled": True, "placement": "sidecar"}, maxConcurrentRuns=1)
    ready(place, "crowded", "Available")
    assert claim(place, "crowded") is not None


def policies(place: Place) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in place.items("networkpolicies")}


def test_a_namespace_with_an_instance_is_closed_but_for_the_bus(place: Place) -> None:
    place.instance("closed")
    found = until("policies are there", lambda: policies(place))
    until("both are there", lambda: {"sympozium-bus", "sympozium-egress-kubernetes"} <= set(policies(place)))
    assert found["sympozium-bus"]["spec"]["policyTypes"] == ["Ingress", "Egress"]
    server = place.cluster.get("service", "kubernetes", "-n", "default")["spec"]["clusterIP"]
    slices = place.cluster.get("endpointslices", "-n", "default", "-l", "kubernetes.io/service-name=kubernetes")
    addresses = [one for part in slices["items"] for end in part["endpoints"] or () for one in end["addresses"]]
    told = str(policies(place)["sympozium-egress-kubernetes"]["spec"])
    assert all(f"{one}/32" in told for one in (server, *addresses))


def test_a_policy_that_somebody_changes_or_deletes_is_made_again(place: Place) -> None:
    place.instance("guarded")
    until("it is there", lambda: "sympozium-bus" in policies(place))
    before = policies(place)["sympozium-bus"]
    body = json.dumps({"spec": {"egress": [{}]}})
    place.cluster.kubectl("patch", "networkpolicy", "sympozium-bus", "-n", place.namespace, "--type=merge", "-p", body)
    until("it is as it was", lambda: policies(place)["sympozium-bus"]["spec"] == before["spec"])
    place.cluster.kubectl("delete", "networkpolicy", "sympozium-bus", "-n", place.namespace)
    until(
        "it is there again",
        lambda: policies(place).get("sympozium-bus", before)["metadata"]["uid"] != before["metadata"]["uid"],
    )


@pytest.mark.parametrize("told", ['["http://[bad"]', '["*"]', "none"])
def test_what_somebody_writes_into_a_policy_opens_nothing(place: Place, controller: Operator, told: str) -> None:
    place.instance("guarded")
    name = "sympozium-egress-kubernetes"
    until("it is there", lambda: name in policies(place))
    before = policies(place)[name]
    words = ("annotate", "networkpolicy", name, "-n", place.namespace, "--overwrite")
    place.cluster.kubectl(*words, f"sympozium.ai/destinations={told}")
    own = before["metadata"]["annotations"]
    until("it is as it was", lambda: policies(place)[name]["metadata"]["annotations"] == own)
    assert policies(place)[name]["spec"] == before["spec"]
    assert controller.told("fault") is None


def test_the_policy_of_a_class_is_there_before_the_job_of_its_run(place: Place) -> None:
    pack = {"sidecar": {"commands": ["curl"], "egress": ["192.0.2.0/24:443"]}}
    place.apply("SkillPack", "reaching", pack)
    place.instance("outgoing", skills=["reaching"])
    place.run("goes-out", instance="outgoing")
    place.pod("goes-out")
    (job,) = place.jobs("goes-out")
    reach = job["spec"]["template"]["metadata"]["labels"]["sympozium.ai/egress"]
    policy = policies(place)[f"sympozium-egress-{reach}"]
    assert "192.0.2.0/24" in str(policy["spec"]["egress"])
    assert policy["metadata"]["creationTimestamp"] <= job["metadata"]["creationTimestamp"]


def test_one_malformed_instance_takes_nothing_from_the_others(place: Place) -> None:
    secret(place)
    place.instance("sound", provider=OPENAI)
    until("its gateway is there", lambda: deployment(place, gateway(place)))
    place.instance("other", provider={"name": "nobody-knows", "model": "m"})
    assert "spec.provider.name" in ready(place, "other", "InvalidDocument")["message"]
    assert deployment(place, gateway(place)) is not None
