"""A namespace whose runs are followed, and whose pods end as soon as their run says that they run: no node is there."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bench.cluster_api import create_run, following, seen
from sympozium_controller.names import LABEL_RUN_UID, run_id
from sympozium_protocol.kube.api import Change, KubeObject
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.resources import JOBS, PODS, RUNS
from tests.support.controlling import completed

FINAL = ("Succeeded", "Failed", "Cancelled")
STARTED = "2026-11-21T10:00:00Z"
OUTPUT = "All is well with the services of this cluster. " * 20


class Stage:
    """``jobs``: when each Job was first seen, by name. ``phases``: of each run, by UID."""

    def __init__(self, api: Client, namespace: str) -> None:
        self.api = api
        self.namespace = namespace
        self.jobs: dict[str, float] = {}
        self.phases: dict[str, str] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Stage]:
        """What cannot be said of a pod ends the measurement: its run would be waited for in vain."""
        async with AsyncExitStack() as stack:
            self._playing = await stack.enter_async_context(asyncio.TaskGroup())
            for resource, hear in ((JOBS, self._job), (PODS, self._pod), (RUNS, self._run)):
                await stack.enter_async_context(following(self.api, resource, self.namespace, hear))
            yield self

    def _job(self, change: Change) -> None:
        if change.type == "ADDED":
            self.jobs.setdefault(change.object["metadata"]["name"], time.perf_counter())

    def _pod(self, change: Change) -> None:
        """Be the kubelet: it begins."""
        if change.type == "ADDED" and LABEL_RUN_UID in change.object["metadata"].get("labels", {}):
            self._say(change.object["metadata"]["name"], "Running", {"running": {"startedAt": STARTED}})

    def _run(self, change: Change) -> None:
        """Be the kubelet: it ends once everybody could see that it runs."""
        uid, status = change.object["metadata"]["uid"], change.object.get("status", {})
        phase = status.get("phase", "")
        if phase == "Running" and self.phases.get(uid) != phase:
            told = completed(OUTPUT).within(4096).decode()
            self._say(
                status["podName"], "Succeeded", {"terminated": {"exitCode": 0, "message": told, "startedAt": STARTED}}
            )
        self.phases[uid] = phase

    def _say(self, pod: str, phase: str, state: KubeObject) -> None:
        agent = {"name": "agent", "image": "a", "imageID": "", "ready": False, "restartCount": 0, "state": state}
        self._playing.create_task(self._patch(pod, {"status": {"phase": phase, "containerStatuses": [agent]}}))

    async def _patch(self, pod: str, body: KubeObject) -> None:
        await self.api.patch(PODS, pod, body, self.namespace, subresource="status")

    async def to_job(self, name: str, instance: str) -> float:
        """Seconds from a run's create having returned to its Job being seen. It has ended then."""
        made, created = await create_run(self.api, self.namespace, instance, name)
        uid = made["metadata"]["uid"]
        await self.ended([uid])
        return max(0.0, self.jobs[run_id(name, uid)] - created)

    async def ended(self, uids: list[str]) -> None:
        await seen(lambda: all(self.phases.get(uid) in FINAL for uid in uids), f"{len(uids)} runs end")

    async def floor(self, like: KubeObject, name: str) -> float:
        """Seconds from asking for a Job of this kind, which makes no pod, until it is seen."""
        metadata = {"name": name, "namespace": self.namespace}
        template = {"metadata": {}, "spec": like["spec"]["template"]["spec"]}
        spec = {"suspend": True, "backoffLimit": 0, "template": template}
        began = time.perf_counter()
        await self.api.create(
            JOBS, {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}, self.namespace
        )
        await seen(lambda: name in self.jobs, f"the Job {name}", every=0.001)
        return self.jobs[name] - began

    async def jobs_of(self) -> Counter[str]:
        """How many Jobs each run has, by UID."""
        page = await self.api.list(JOBS, self.namespace, labels=LABEL_RUN_UID)
        return Counter(one["metadata"]["labels"][LABEL_RUN_UID] for one in page.items)
