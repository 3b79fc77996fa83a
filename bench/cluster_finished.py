"""A controller that starts where thousands of runs have ended: how long it takes, and what it holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

from bench.cluster_api import client, create_run, number, together
from bench.cluster_stage import OUTPUT
from bench.report import Row
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.resources import RUNS
from tests.support.cluster import Cluster
from tests.support.controlling import Operator, Place

FINISHED = number("BENCH_CLUSTER_FINISHED", 5000)
AFTER = 10.0
"""Seconds after which it is looked at: it has then looked at every run."""
STATUS = {
    "phase": "Succeeded",
    "reason": "Completed",
    "message": "",
    "output": OUTPUT,
    "outputSize": len(OUTPUT),
    "startTime": "2026-11-21T10:00:00Z",
    "completionTime": "2026-11-21T10:00:03Z",
    "usage": {"inputTokens": 12, "outputTokens": 3, "modelCalls": 2, "toolCalls": 1, "usd": "0.0123"},
    "attempt": 1,
}


def finished(cluster: Cluster, folder: Path) -> Iterator[Row]:
    with cluster.namespace() as name:
        Place(cluster, name).instance()
        few = started(cluster, name, folder)
        asyncio.run(fill(cluster, name))
        many = started(cluster, name, folder)
    yield Row(f"cluster: start with {FINISHED} finished runs", many[0], "s", 10, few[0])
    yield Row(f"cluster: resident with {FINISHED} finished runs", many[1], "MiB", 150, few[1])
    yield Row("  at most, since its start", many[2], "MiB", None, few[2])


def started(cluster: Cluster, namespace: str, folder: Path) -> tuple[float, float, float]:
    """Seconds from its launch until it acts; resident memory in MiB a while later, and at most."""
    began = time.perf_counter()
    controller = Operator(cluster, namespace, folder)
    try:
        controller.acts()
        took = time.perf_counter() - began
        time.sleep(AFTER)
        return took, _status(controller, "VmRSS"), _status(controller, "VmHWM")
    finally:
        controller.stop()


def _status(controller: Operator, field: str) -> float:
    text = Path(f"/proc/{controller.process.pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith(f"{field}:")).split()[1]) / 1024


async def fill(cluster: Cluster, namespace: str) -> None:
    """Runs as they are left when they have ended."""
    async with client(cluster.kubeconfig) as api:
        await together(_ended(api, namespace, f"ended-{n}") for n in range(FINISHED))


async def _ended(api: Client, namespace: str, name: str) -> None:
    made, _ = await create_run(api, namespace, "one", name)
    own = {"jobName": name, "run": name, "podName": f"{name}-pod", "observedGeneration": made["metadata"]["generation"]}
    await api.patch(RUNS, name, {"status": STATUS | own}, namespace, subresource="status")
