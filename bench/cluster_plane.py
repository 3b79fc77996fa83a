"""The controller against an API server without a node: a run's way to its Job, many at once, many that have ended.

The programs of the control plane and this one share the machine with the controller. Nobody schedules, so no pod is
called unschedulable; pods begin and end by ``cluster_stage``.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from bench.cluster_api import as_they_come, client, create_run, following, number, possible, seen, together
from bench.cluster_finished import finished
from bench.cluster_stage import Stage
from bench.report import Row, p50, p95
from sympozium_controller.names import run_id
from sympozium_protocol.kube.api import Change
from sympozium_protocol.kube.resources import JOBS, PODS
from tests.support.cluster import Cluster
from tests.support.cluster_definitions import define_kinds
from tests.support.cluster_start import start_cluster
from tests.support.controlling import Operator, Place, operating

RUNS_AT_ONCE = number("BENCH_CLUSTER_RUNS", 500)
ONE_BY_ONE = min(RUNS_AT_ONCE, 100)
WITH_RIGHTS = max(1, RUNS_AT_ONCE // 10)
BARE_JOBS = min(RUNS_AT_ONCE, 200)
STOCK = "--kube-api-qps=20 --kube-api-burst=30 --concurrent-job-syncs=5"
"""What kube-controller-manager has unless it is told otherwise; the test cluster raises it."""
QUIET = 2.0
"""Seconds without a write after which a controller has nothing left to do."""
Writes = dict[tuple[str, str], int]


def rows() -> Iterator[Row]:
    with possible(), tempfile.TemporaryDirectory() as folder:
        with start_cluster() as cluster:
            cluster.kill("kube-scheduler")
            define_kinds(cluster)
            with cluster.namespace() as name, cluster.namespace() as other:
                yield from as_they_come(acting(cluster, Place(cluster, name), other, Path(folder)))
            yield from finished(cluster, Path(folder))
            raised = bare_jobs(cluster)
        with start_cluster(CONTROLLERS_FLAGS=STOCK) as cluster:
            cluster.kill("kube-scheduler")
            stock = bare_jobs(cluster)
    yield Row("cluster: pods/s of the stock Job controller", stock, "/s", None, raised)


async def acting(cluster: Cluster, place: Place, other: str, folder: Path) -> AsyncIterator[Row]:
    """One controller, with runs one by one, at once, and with rights."""
    place.instance()
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
    place.apply(
        "SkillPack",
        "look",
        {"description": "looks", "sidecar": {"image": "skill-shell", "commands": [], "rbac": [rule]}},
    )
    place.instance("acting", skills=["look"], skillConfig={"look": {"namespaces": [other, place.namespace]}})
    with operating(
        cluster, place.namespace, folder, SYMPOZIUM_START_WITHIN="3600", SYMPOZIUM_LEASE_SECONDS="15"
    ) as controller:
        async with client(cluster.kubeconfig) as api, Stage(api, place.namespace).open() as stage:
            for instance in ("one", "acting"):  # what a namespace is given once
                await stage.to_job(f"first-{instance}", instance)
            async for row in one_by_one(stage):
                yield row
            async for row in at_once(stage, controller, "one", RUNS_AT_ONCE, 6):
                yield row
            async for row in at_once(stage, controller, "acting", WITH_RIGHTS, 16):
                yield row


async def one_by_one(stage: Stage) -> AsyncIterator[Row]:
    samples = [await stage.to_job(f"single-{n}", "one") * 1e3 for n in range(ONE_BY_ONE)]
    (like, *_) = (await stage.api.list(JOBS, stage.namespace, limit=1)).items
    floors = [await stage.floor(like, f"floor-{n}") * 1e3 for n in range(ONE_BY_ONE)]
    yield Row("cluster: a run created to its Job created, p50", p50(samples), "ms", 50, p50(floors))
    yield Row("cluster: a run created to its Job created, p95", p95(samples), "ms", None, p95(floors))


async def at_once(stage: Stage, controller: Operator, instance: str, count: int, most: float) -> AsyncIterator[Row]:
    """``most``: writes that a run may cost."""
    rights = " with rights" if instance == "acting" else ""
    before = await settled(controller)
    began = time.perf_counter()
    made = await together(
        create_run(stage.api, stage.namespace, instance, f"many-{instance}-{n}") for n in range(count)
    )
    uids = [run["metadata"]["uid"] for run, _ in made]
    names = [run_id(run["metadata"]["name"], run["metadata"]["uid"]) for run, _ in made]
    await stage.ended(uids)
    over = time.perf_counter() - began
    written = {key: found - before.get(key, 0) for key, found in (await settled(controller)).items()}
    to_jobs = max(stage.jobs[name] for name in names) - began
    created = max(at for _, at in made) - began
    target = 25 if instance == "one" else None
    yield Row(
        f"cluster: Jobs/s of {count} runs at once{rights}",
        count / to_jobs,
        "/s",
        target,
        count / created,
        at_least=True,
    )
    yield Row("  until all had ended", over, "s", None, created)
    jobs = await stage.jobs_of()
    whole = sum(jobs[uid] == 1 and stage.phases[uid] == "Succeeded" for uid in uids)
    yield Row(f"  of {count}, runs that had one Job and succeeded", whole, "", count, at_least=True)
    yield Row(f"cluster: API writes per run{rights}", sum(written.values()) / count, "", most)
    for (verb, kind), times in sorted(written.items()):
        if times:
            yield Row(f"  {verb} {kind}", times / count, "")


async def settled(controller: Operator) -> Writes:
    """What it has written by verb and kind, its Lease aside, once it writes nothing more."""
    found, since = writes(controller), time.monotonic()
    while time.monotonic() - since < QUIET:
        await asyncio.sleep(0.2)
        if (now := writes(controller)) != found:
            found, since = now, time.monotonic()
    return found


def writes(controller: Operator) -> Writes:
    return {key: times for key, times in controller.writes().items() if key[1] != "Lease"}


def bare_jobs(cluster: Cluster) -> float:
    """Pods a second that the Job controller makes of Jobs of anybody."""
    with cluster.namespace() as name:
        return asyncio.run(_bare_jobs(cluster, name))


async def _bare_jobs(cluster: Cluster, namespace: str) -> float:
    pods: dict[str, float] = {}

    def hear(change: Change) -> None:
        pods.setdefault(change.object["metadata"]["name"], time.perf_counter())

    container = {"name": "c", "image": "c"}
    spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}

    def job(name: str) -> dict[str, object]:
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }

    async with client(cluster.kubeconfig) as api, following(api, PODS, namespace, hear):
        began = time.perf_counter()
        await together(api.create(JOBS, job(f"bare-{n}"), namespace) for n in range(BARE_JOBS))
        await seen(lambda: len(pods) == BARE_JOBS, "a pod of each Job")
    return BARE_JOBS / (max(pods.values()) - began)
