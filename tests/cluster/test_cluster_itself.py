"""The cluster that the other tests trust: it answers, its controllers work, and it comes back and goes as it should."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.cluster import Cluster, Refused
from tests.support.cluster_start import built, given, start_cluster
from tests.support.ports import connects

KILLED = """
import sys, time
from tests.support.cluster_start import start_cluster
with start_cluster() as cluster:
    print(cluster.state, (cluster.state / "run" / "ports").read_text().split()[0], flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def other() -> Iterator[Cluster]:
    """A control plane of this module alone."""
    with start_cluster() as found:
        yield found


def eventually(holds: Callable[[], bool], seconds: float = 60) -> bool:
    ends = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < ends:
        time.sleep(0.05)
    return held


def config_map(name: str, **data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_the_api_server_answers_and_says_no(cluster: Cluster) -> None:
    assert cluster.kubectl("get", "--raw", "/readyz") == "ok"
    with pytest.raises(Refused, match="NotFound"):
        cluster.kubectl("get", "namespace", "nobody-made-this")


def test_a_namespace_of_a_test_is_its_own_and_goes_with_it(cluster: Cluster) -> None:
    with cluster.namespace(purpose="a-test") as first, cluster.namespace() as second:
        for name in (first, second):
            cluster.create(config_map("same", of=name), "-n", name)
        assert cluster.get("configmap", "same", "-n", first)["data"] == {"of": first}
        assert cluster.get("namespace", first)["metadata"]["labels"]["purpose"] == "a-test"
    phase = cluster.kubectl("get", "namespace", first, "-o", "jsonpath={.status.phase}", check=False)
    assert phase == "Terminating" or "NotFound" in phase


def test_a_job_gets_its_pod_from_the_controllers(cluster: Cluster, namespace: str) -> None:
    container = {"name": "agent", "image": "example.invalid/agent:1"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "run"}, "spec": {"template": template}}
    cluster.create(job, "-n", namespace)
    cluster.wait("create", "pod", "-l", "job-name=run", "-n", namespace)
    cluster.kubectl("delete", "job", "run", "-n", namespace, "--cascade=foreground")
    assert cluster.get("pods", "-n", namespace)["items"] == []


@pytest.mark.xdist_group("control planes that are killed")
def test_two_control_planes_live_side_by_side(cluster: Cluster, other: Cluster, namespace: str) -> None:
    with pytest.raises(Refused, match="NotFound"):
        other.kubectl("get", "namespace", namespace)


@pytest.mark.xdist_group("control planes that are killed")
def test_what_was_killed_comes_back_where_it_was_with_its_data(other: Cluster) -> None:
    with other.namespace() as name:
        other.create(config_map("kept", key="value"), "-n", name)
        kubeconfig = other.kubeconfig.read_text()
        for program in ("etcd", "kube-apiserver", "kube-controller-manager"):
            other.kill(program)
        other.start()
        assert other.get("configmap", "kept", "-n", name)["data"] == {"key": "value"}
        assert other.kubeconfig.read_text() == kubeconfig
    with other.namespace() as name:  # the controllers make its service account
        other.kubectl("get", "serviceaccount", "default", "-n", name)


@pytest.mark.xdist_group("control planes that are killed")
def test_a_cluster_ends_with_the_tests_that_were_killed() -> None:
    built()
    words = [sys.executable, "-c", KILLED]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as tests:
        assert tests.stdout
        state, port = tests.stdout.readline().split()
        assert connects(int(port))
        tests.send_signal(signal.SIGKILL)
    assert eventually(lambda: not Path(state).parent.exists())
    assert not connects(int(port))


def test_a_cluster_of_somebody_else_is_used_and_not_started(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KUBECONFIG", str(cluster.kubeconfig))
    found = given()
    assert found
    assert not found.own
    assert found.kubectl("get", "--raw", "/readyz") == "ok"
    found.load("agent")  # its own business
    with pytest.raises(AssertionError, match="not ours"):
        found.kill("etcd")
