"""The node that the other tests trust: pods run on it as on any, and reach what they may."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cluster_node import NodeCluster, image

pytestmark = pytest.mark.xdist_group("node")
SHELL = "skill-shell"
TOLD = "/dev/termination-log"


@pytest.fixture
def space(node_cluster: NodeCluster) -> Iterator[str]:
    node_cluster.load(SHELL)
    with node_cluster.namespace() as name:
        yield name


def container(name: str, script: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "image": image(SHELL), "command": ["bash", "-c", script]} | more


def pod(name: str, *containers: dict[str, Any], sidecars: tuple[dict[str, Any], ...] = (), **labels: str) -> Any:
    always = [sidecar | {"restartPolicy": "Always"} for sidecar in sidecars]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "enableServiceLinks": False,
            "initContainers": always,
            "containers": list(containers),
        },
    }


def told(cluster: NodeCluster, space: str, name: str) -> str:
    """The termination message of a pod's only container."""
    state = "jsonpath={.status.containerStatuses[0].state.terminated.finishedAt}"
    cluster.wait(state, f"pod/{name}", "-n", space)
    [status] = cluster.get("pod", name, "-n", space)["status"]["containerStatuses"]
    return str(status["state"]["terminated"]["message"]).strip()


def test_a_pod_ends_with_its_agent_while_its_sidecar_served_it(node_cluster: NodeCluster, space: str) -> None:
    shared = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    sidecar = container("bridge", "echo from the bridge >/shared/file; trap 'exit 0' TERM; sleep 600 & wait", **shared)
    agent = container("agent", f"until [ -s /shared/file ]; do sleep 0.01; done; cat /shared/file >{TOLD}", **shared)
    document = pod("run", agent, sidecars=(sidecar,))
    document["spec"]["volumes"] = [{"name": "shared", "emptyDir": {}}]
    node_cluster.create(document, "-n", space)
    assert told(node_cluster, space, "run") == "from the bridge"
    node_cluster.wait("jsonpath={.status.phase}=Succeeded", "pod/run", "-n", space)


def test_a_policy_denies_what_another_pod_may(node_cluster: NodeCluster, space: str) -> None:
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "nothing"},
        "spec": {"podSelector": {"matchLabels": {"egress": "none"}}, "policyTypes": ["Egress"]},
    }
    node_cluster.create(policy, "-n", space)
    tried = f"curl -sk -m 5 https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/readyz >{TOLD} || echo no >{TOLD}"
    for name in ("none", "all"):
        node_cluster.create(pod(name, container("agent", tried), egress=name), "-n", space)
    assert told(node_cluster, space, "all") == "ok"
    assert told(node_cluster, space, "none") == "no"


def test_what_a_pod_wrote_to_its_volume_is_there_for_the_next(node_cluster: NodeCluster, space: str) -> None:
    claim = {"accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "1Gi"}}}
    mounted = {"volumeMounts": [{"name": "memory", "mountPath": "/memory"}]}
    with node_cluster.volume(space, "memory"):
        metadata = {"name": "memory", "namespace": space}
        node_cluster.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claim})
        for name, script in (("first", "echo kept >/memory/file"), ("second", f"cat /memory/file >{TOLD}")):
            document = pod(name, container("agent", script, **mounted))
            document["spec"]["volumes"] = [{"name": "memory", "persistentVolumeClaim": {"claimName": "memory"}}]
            document["spec"]["securityContext"] = {"runAsUser": 1000, "fsGroup": 1000}
            node_cluster.create(document, "-n", space)
            node_cluster.wait("jsonpath={.status.phase}=Succeeded", f"pod/{name}", "-n", space)
        assert told(node_cluster, space, "second") == "kept"


def test_a_service_is_found_by_its_name(node_cluster: NodeCluster, space: str) -> None:
    inside = f"curl -sk -m 10 https://kubernetes.default.svc/readyz >{TOLD}"
    outside = f"curl -s -m 10 http://nobody.invalid || echo , outside $? >>{TOLD}"
    node_cluster.create(pod("asks", container("agent", f"{inside}; {outside}")), "-n", space)
    assert told(node_cluster, space, "asks") == "ok, outside 6"  # curl: could not resolve


def test_a_pod_reaches_a_server_of_this_machine(node_cluster: NodeCluster, space: str) -> None:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"from the host")

    address = node_cluster.host_address
    with http.server.ThreadingHTTPServer((address, 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        script = f"curl -s -m 10 http://{address}:{server.server_port}/ >{TOLD}"
        node_cluster.create(pod("asks", container("agent", script)), "-n", space)
        assert told(node_cluster, space, "asks") == "from the host"
        server.shutdown()
