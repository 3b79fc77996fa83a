"""Figures of the controller, as Prometheus reads them. No run is a label: their number has no bound."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from sympozium_controller.operator.queue import Queue
from sympozium_protocol.kube.api import Change, JsonPatch, KubeApi, KubeObject, Page, PatchType
from sympozium_protocol.kube.errors import KubeError
from sympozium_protocol.kube.resources import Resource

SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """One program's figures."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.ended = Counter("sympozium_runs_ended", "Runs that ended", ["phase", "reason"], registry=self.registry)
        self.to_job = Histogram(
            "sympozium_run_job_seconds",
            "From a run in the cache to its Job on the server",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.reconcile = Histogram(
            "sympozium_reconcile_seconds", "One look at one object", ["queue"], buckets=SECONDS, registry=self.registry
        )
        self.writes = Counter("sympozium_api_writes", "Writes", ["verb", "kind", "outcome"], registry=self.registry)
        self.retries = Counter("sympozium_retries", "Looks that failed", ["queue", "why"], registry=self.registry)
        self.leads = Gauge("sympozium_leads", "1 while this one acts", registry=self.registry)

    def count_runs(self, phases: Callable[[], Mapping[str, int]]) -> None:
        """``phases``: how many runs there are in each."""
        self.registry.register(Counted("sympozium_runs", "Runs by phase", "phase", phases))

    def watch(self, queues: Sequence[Queue[Any]]) -> None:
        def depth() -> dict[str, int]:
            return {one.name: len(one) for one in queues}

        self.registry.register(Counted("sympozium_queue_depth", "Keys that wait", "queue", depth))
        for queue in queues:
            queue.timed = self.reconcile.labels(queue.name).time
            queue.on_failure = partial(self._failed, queue.name)

    def _failed(self, queue: str, why: str) -> None:
        self.retries.labels(queue, why).inc()

    def text(self) -> bytes:
        return generate_latest(self.registry)


class Counted(Collector):
    """A gauge that is counted when it is read."""

    def __init__(self, name: str, about: str, label: str, count: Callable[[], Mapping[str, int]]) -> None:
        self._family = (name, about, label)
        self._count = count

    def collect(self) -> list[GaugeMetricFamily]:
        name, about, label = self._family
        family = GaugeMetricFamily(name, about, labels=[label])
        for value, number in self._count().items():
            family.add_metric([value], number)
        return [family]


class CountingApi:
    """``KubeApi`` whose writes are counted by verb and kind."""

    def __init__(self, api: KubeApi, metrics: Metrics) -> None:
        self._api = api
        self._writes = metrics.writes

    async def get(self, resource: Resource, name: str, namespace: str = "") -> KubeObject:
        return await self._api.get(resource, name, namespace)

    async def list(self, resource: Resource, namespace: str = "", **asked: Any) -> Page:
        return await self._api.list(resource, namespace, **asked)

    def watch(self, resource: Resource, version: str, namespace: str = "", **asked: Any) -> AsyncIterator[Change]:
        return self._api.watch(resource, version, namespace, **asked)

    async def create(self, resource: Resource, body: KubeObject, namespace: str = "", **asked: Any) -> KubeObject:
        with _Outcome(self._writes, "create", resource.kind):
            return await self._api.create(resource, body, namespace, **asked)

    async def patch(
        self,
        resource: Resource,
        name: str,
        body: KubeObject | JsonPatch,
        namespace: str = "",
        *,
        subresource: str = "",
        type: PatchType = "merge",
        **asked: Any,
    ) -> KubeObject:
        with _Outcome(self._writes, "patch", resource.kind + ("/status" if subresource == "status" else "")):
            return await self._api.patch(resource, name, body, namespace, subresource=subresource, type=type, **asked)

    async def delete(self, resource: Resource, name: str, namespace: str = "", **asked: Any) -> None:
        with _Outcome(self._writes, "delete", resource.kind):
            await self._api.delete(resource, name, namespace, **asked)


class _Outcome:
    def __init__(self, writes: Counter, verb: str, kind: str) -> None:
        self._writes = writes
        self._words = (verb, kind)

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        outcome = error.reason if isinstance(error, KubeError) else "ok" if error is None else "cancelled"
        self._writes.labels(*self._words, outcome).inc()
