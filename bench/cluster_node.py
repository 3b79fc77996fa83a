"""Runs on a node with an installation: until the first model request is on the wire, and the memory of a pod.

The model gateway and a provider's server on this machine are in the way of a request. The floor is a pod of the same
spec that only writes files (``cluster_floor``), by turns with the runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from bench.cluster_api import as_they_come, client, number, possible
from bench.cluster_floor import Floor
from bench.cluster_memory import working_sets
from bench.cluster_turns import Turns, served
from bench.report import Row, p50, p95
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.client import Client
from tests.support.cluster_start import given
from tests.support.installed import Installed, installation

ROUNDS = number("BENCH_CLUSTER_ROUNDS", 10)
INSTANCE = "helper"
MANY = "many"
"""An instance with a bridge and three skills: four native sidecars."""


def rows() -> Iterator[Row]:
    if given():
        raise SystemExit("the node's files and control groups are looked at: not with TEST_KUBECONFIG")
    with possible(), installation() as installed, installed.cluster.namespace() as name:
        yield from as_they_come(measure(installed, name))


async def measure(installed: Installed, namespace: str) -> AsyncIterator[Row]:
    cluster = installed.cluster
    with served(cluster.host_address) as server:
        cluster.create({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "keys", "namespace": namespace},
            "stringData": {"apiKey": "none"},
        })  # fmt: skip
        cluster.load("skill-sre-observability")
        asked = provider(server.port, cluster.host_address)
        for instance, skills in ((INSTANCE, ["shell"]), (MANY, ["shell", "k8s-ops", "sre-observability"])):
            installed.instance(namespace, instance, provider=asked, skills=skills, policy="permissive")
            cluster.wait("condition=Ready", f"si/{instance}", "-n", namespace, seconds=100)
        async with client(cluster.kubeconfig) as api, Turns(api, namespace, INSTANCE, server).open() as turns:
            first = await turns.run("warm")
            floor = Floor(api, namespace, kubelet(installed), first.job)
            await floor.take("warm-floor")
            wire, jobs, bare = [], [], []
            for turn in range(ROUNDS):
                taken = await turns.run(f"turn-{turn}")
                wire.append(taken.wire)
                jobs.append(taken.to_job)
                bare.append(await floor.take(f"floor-{turn}"))
            least = p50(bare)
            yield Row("cluster: a run created to its first model request, p50", p50(wire), "s", least + 0.3, least)
            yield Row("cluster: a run created to its first model request, p95", p95(wire), "s", None, p95(bare))
            yield Row("  to its Job, p50", p50(jobs) * 1e3, "ms")
            async for row in memory(turns):
                yield row
        async with client(cluster.kubeconfig) as api, Turns(api, namespace, MANY, server).open() as turns:
            yield await sidecars(installed, api, namespace, (await turns.run("many")).job)


def provider(port: int, host: str) -> dict[str, Any]:
    return {"name": "openai", "model": "m", "apiKeySecret": "keys", "baseURL": f"http://{host}:{port}/v1"}


def kubelet(installed: Installed) -> Path:
    """Its folder as this machine sees it."""
    state = installed.cluster.state
    assert state
    return Path(f"/proc/{installed.cluster.pid('kubelet')}/root{state}/node/kubelet")


async def sidecars(installed: Installed, api: Client, namespace: str, job: KubeObject) -> Row:
    """A pod of native ones, against the same as ordinary containers, by turns; none does more than write a file."""
    native = Floor(api, namespace, kubelet(installed), job)
    ordinary = Floor(api, namespace, kubelet(installed), job, native=False)
    taken, least = [], []
    for turn in range(ROUNDS):
        taken.append(await native.take(f"native-{turn}"))
        least.append(await ordinary.take(f"ordinary-{turn}"))
    count = len(job["spec"]["template"]["spec"]["initContainers"])
    return Row(f"cluster: {count} native sidecars, their agent begun, p50", p50(taken), "s", None, p50(least))


async def memory(turns: Turns) -> AsyncIterator[Row]:
    """While a command waits."""
    pod = await turns.waiting("memory")
    held = await working_sets(pod)
    for name, size in held.items():
        yield Row(f"  {name}: working set", size, "MiB")
    yield Row("cluster: the pod with one skill: working sets", sum(held.values()), "MiB", 150)
    await turns.cancel("memory")
