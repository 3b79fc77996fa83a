"""Runs one after the other, each until its model was asked, and the server that they ask."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from bench.cluster_api import create_run, following, seen
from bench.cluster_stage import FINAL
from sympozium_controller.names import LABEL_RUN_UID, run_id
from sympozium_protocol.kube.api import Change, KubeObject
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.resources import JOBS, PODS, RUNS
from tests.support.provider_server import ProviderServer

DONE: dict[str, Any] = {"text": "done"}
WAIT: dict[str, Any] = {"calls": [("execute_command", '{"command": "sleep 600"}')]}


class Stamped(ProviderServer):
    """``arrivals``: when each request was there."""

    arrivals: list[float]

    def take(self, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
        self.arrivals.append(time.perf_counter())
        return super().take(body, headers)


@contextmanager
def served(host: str) -> Iterator[Stamped]:
    """A provider on this machine, as pods reach it."""
    server = Stamped([DONE], host)
    server.arrivals = []
    server.start()
    try:
        yield server
    finally:
        server.stop()


@dataclass(frozen=True)
class Taken:
    """Seconds from a run's create having returned: until its first request was there, and until its Job was."""

    wire: float
    to_job: float
    job: KubeObject


class Turns:
    def __init__(self, api: Client, namespace: str, instance: str, server: Stamped) -> None:
        self._api = api
        self._namespace = namespace
        self._instance = instance
        self._server = server
        self._jobs: dict[str, float] = {}
        self._objects: dict[str, KubeObject] = {}
        self._runs: dict[str, KubeObject] = {}
        self._pods: dict[str, KubeObject] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Turns]:
        async with (
            following(self._api, JOBS, self._namespace, self._job),
            following(self._api, RUNS, self._namespace, self._run),
            following(self._api, PODS, self._namespace, self._pod),
        ):
            yield self

    def _job(self, change: Change) -> None:
        name = change.object["metadata"]["name"]
        self._jobs.setdefault(name, time.perf_counter())
        self._objects[name] = change.object

    def _run(self, change: Change) -> None:
        self._runs[change.object["metadata"]["name"]] = change.object

    def _pod(self, change: Change) -> None:
        if run := change.object["metadata"].get("labels", {}).get(LABEL_RUN_UID):
            self._pods[run] = change.object

    async def run(self, name: str) -> Taken:
        """One that is answered at once; it and its pod have ended then."""
        before = len(self._server.arrivals)
        made, created = await create_run(self._api, self._namespace, self._instance, name)
        asked = self._server.arrivals
        await seen(lambda: len(asked) > before or self._phase(name) in FINAL, f"a model request of {name}")
        uid, job = made["metadata"]["uid"], run_id(name, made["metadata"]["uid"])
        await seen(lambda: self._phase(name) in FINAL, f"{name} ends")
        if self._phase(name) != "Succeeded":
            raise SystemExit(f"{name}: {self._runs[name]['status']}")
        await seen(lambda: self._pods[uid]["status"].get("phase") in ("Succeeded", "Failed"), f"the pod of {name} ends")
        return Taken(asked[before] - created, max(0.0, self._jobs[job] - created), self._objects[job])

    def _phase(self, name: str) -> str:
        return str(self._runs.get(name, {}).get("status", {}).get("phase", ""))

    async def waiting(self, name: str) -> KubeObject:
        """The pod of a run whose command goes on."""
        self._server.answers[:] = [WAIT, DONE]
        made, _ = await create_run(self._api, self._namespace, self._instance, name)
        uid = made["metadata"]["uid"]
        await seen(lambda: self._phase(name) == "Running" and uid in self._pods, f"{name} runs")
        return self._pods[uid]

    async def cancel(self, name: str) -> None:
        await self._api.patch(RUNS, name, {"spec": {"cancel": True}}, self._namespace)
        await seen(lambda: self._phase(name) in FINAL, f"{name} is cancelled")
