"""What serves instances, on a node: the pods begin, reach what their class says, and remember."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sympozium_controller.install import probe
from sympozium_controller.install.settings import Settings
from sympozium_controller.names import deployment_name, memory_service
from sympozium_controller.render.images import Images
from tests.support.cluster_definitions import define_kinds
from tests.support.cluster_node import NodeCluster, image
from tests.support.controlling import Operator, Place, operating, until
from tests.support.engine import TAG

pytestmark = pytest.mark.xdist_group("node")
SLOW = 180.0
"""Seconds in which pods begin on a machine that has much to do."""
TOLD = "/dev/termination-log"
BUS = {"app.kubernetes.io/name": "sympozium", "app.kubernetes.io/component": "bus"}


@pytest.fixture(scope="module")
def place(node_cluster: NodeCluster) -> Iterator[Place]:
    """The namespace is the system's as well, with a bus that asks for no token."""
    define_kinds(node_cluster)
    node_cluster.load("model", "memory", "nats", "skill-shell")
    with node_cluster.namespace() as name:
        node_cluster.create(_bus(), "-n", name)
        node_cluster.wait("condition=Ready", "pod/bus", "-n", name, seconds=int(SLOW))
        yield Place(node_cluster, name)


def _bus() -> list[dict[str, Any]]:
    arguments = ["nats-server", "--jetstream", "--store_dir", "/data", "--addr", "0.0.0.0", "--http_port", "8222"]
    server = {
        "name": "bus",
        "image": image("nats"),
        "command": arguments,
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    spec = {"containers": [server], "volumes": [{"name": "data", "emptyDir": {}}], "securityContext": {"fsGroup": 1000}}
    ports = [{"port": 4222, "targetPort": 4222}]
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bus", "labels": BUS}, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "sympozium-bus"},
            "spec": {"selector": BUS, "ports": ports},
        },
    ]


@pytest.fixture(scope="module")
def controller(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    told = {
        "SYMPOZIUM_TAG": TAG,
        "SYMPOZIUM_PULL_POLICY": "IfNotPresent",
        "SYMPOZIUM_BUS": f"nats://sympozium-bus.{place.namespace}.svc:4222",
        "SYMPOZIUM_MEMORY_IDLE": "5",
    }
    folder: Path = tmp_path_factory.mktemp("controller")
    with operating(place.cluster, place.namespace, folder, **told) as found:
        yield found


def ready(place: Place, name: str, status: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = place.get("si", name).get("status", {})
        one = next((one for one in found.get("conditions", ()) if one["type"] == "Ready"), {})
        return found if one.get("status") == status else None

    return until(f"{name} is {status}", look, SLOW)


def tries(place: Place, name: str, egress: str, script: str) -> str:
    """What a pod of this egress class (empty: none of ours) told."""
    labels = {"sympozium.ai/egress": egress} if egress else {}
    container = {"name": "tries", "image": image("skill-shell"), "command": ["bash", "-c", script]}
    place.cluster.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": place.namespace, "labels": labels},
            "spec": {"restartPolicy": "Never", "containers": [container]},
        }
    )
    ended = "jsonpath={.status.containerStatuses[0].state.terminated.finishedAt}"
    place.cluster.wait(ended, f"pod/{name}", "-n", place.namespace, seconds=int(SLOW))
    [status] = place.get("pod", name)["status"]["containerStatuses"]
    return str(status["state"]["terminated"]["message"]).strip()


def test_a_gateway_begins_with_its_key_and_finds_the_bus(place: Place, controller: Operator) -> None:
    document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": place.namespace}}
    place.cluster.apply({**document, "stringData": {"apiKey": "not-a-real-key"}})
    place.instance("thinks", provider={"name": "openai", "model": "m", "apiKeySecret": "keys"})
    status = ready(place, "thinks", "True")
    name = status["gateway"]
    # it has a pod of its own account, and Pod Security would admit it
    pod = place.items("pods", "-l", "sympozium.ai/participant=model")[0]
    assert pod["spec"]["serviceAccountName"] == "sympozium-service"
    assert "not-a-real-key" not in json.dumps(pod)
    service = name.removeprefix("sympozium-")
    until(
        f"it listens on the bus: {_log(place, name)}",
        lambda: f"sympozium.call.{service}" in _subscriptions(place),
        SLOW,
    )


def _subscriptions(place: Place) -> str:
    path = f"/api/v1/namespaces/{place.namespace}/pods/bus:8222/proxy/connz?subs=1"
    return place.cluster.kubectl("get", "--raw", path, check=False)


def _log(place: Place, name: str) -> str:
    return place.cluster.kubectl("logs", f"deployment/{name}", "-n", place.namespace, check=False)


def test_a_memory_is_started_for_a_run_and_stopped_after_it(place: Place, controller: Operator) -> None:
    assert isinstance(place.cluster, NodeCluster)
    name = deployment_name(memory_service(place.namespace, "remembers"))
    with place.cluster.volume(place.namespace, "remembers-memory"):
        place.instance("remembers", memory={"enabled": True})
        ready(place, "remembers", "True")
        place.run("asks", instance="remembers")
        place.cluster.wait("create", f"deployment/{name}", "-n", place.namespace, seconds=int(SLOW))
        place.cluster.wait("condition=Available", f"deployment/{name}", "-n", place.namespace, seconds=int(SLOW))
        assert ready(place, "remembers", "True")["memory"] == name
        place.run("asks", instance="remembers", cancel=True)
        place.becomes("asks", "Cancelled", within=SLOW)
        stopped = "jsonpath={.spec.replicas}=0"
        place.cluster.wait(stopped, f"deployment/{name}", "-n", place.namespace, seconds=int(SLOW))
        place.cluster.kubectl("delete", "si", "remembers", "-n", place.namespace)


def test_a_class_reaches_what_it_says_and_nothing_else(place: Place, controller: Operator) -> None:
    place.instance("plain")
    ready(place, "plain", "True")
    bus = place.get("service", "sympozium-bus")["spec"]["clusterIP"]
    server = place.cluster.get("service", "kubernetes", "-n", "default")["spec"]["clusterIP"]
    script = (
        f'exec 2>/dev/null; say() {{ echo -n "$1 " >>{TOLD}; }}; '
        f"timeout 10 bash -c '</dev/tcp/{bus}/4222' && say bus; "
        f"timeout 5 curl -sk https://{server}/readyz && say api; "
        f"timeout 5 curl -sk https://kubernetes.default.svc/readyz && say names; true"
    )
    assert tries(place, "reach-none", "none", script) == "bus"
    assert tries(place, "reach-kubernetes", "kubernetes", script) == "bus api"


def test_nothing_comes_in_to_a_pod_of_ours(place: Place, controller: Operator) -> None:
    place.instance("plain")
    ready(place, "plain", "True")
    # a server like that of the bus: others reach it, and with our label on it nobody does
    for name, labels in (("open", {"of": "test"}), ("closed", {"of": "test", "sympozium.ai/egress": "none"})):
        metadata = {"name": name, "namespace": place.namespace, "labels": labels}
        place.cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": _bus()[0]["spec"]})
        place.cluster.wait("condition=Ready", f"pod/{name}", "-n", place.namespace, seconds=int(SLOW))
    addresses = {name: place.get("pod", name)["status"]["podIP"] for name in ("open", "closed")}
    script = "; ".join(
        f"timeout 8 bash -c '</dev/tcp/{address}/4222' && echo -n '{name} ' >>{TOLD}"
        for name, address in addresses.items()
    )
    assert tries(place, "knocks", "", f"exec 2>/dev/null; {script}; true") == "open"


def test_the_probe_finds_out_that_policies_hold(place: Place) -> None:
    assert isinstance(place.cluster, NodeCluster)
    place.cluster.load("bus-auth")
    policy, *pods = probe.documents(Settings(Images("sympozium", TAG), namespace=place.namespace))
    place.cluster.apply([policy, *pods])

    def answers() -> list[str] | None:
        found = [probe.told(place.get("pod", name)) for name in probe.PODS]
        return [one for one in found if one is not None] if None not in found else None

    opened, closed = until("both pods have told", answers, SLOW)
    assert probe.verdict(opened, closed)[0] == "enforced"
