"""Keeps the memories of instances: a volume each, and the process that holds it while runs want it."""

from __future__ import annotations

import time
from collections.abc import Callable

from sympozium_controller.lifecycle import remembering
from sympozium_controller.lifecycle.plan import Place
from sympozium_controller.lifecycle.readiness import USABLE, Served, State
from sympozium_controller.lifecycle.remembering import STARTED, Keeping
from sympozium_controller.names import deployment_name, memory_service
from sympozium_controller.objects import SympoziumInstance
from sympozium_controller.operator.cache import Cache
from sympozium_controller.operator.deploying import Deploying
from sympozium_controller.operator.holdings import BY_INSTANCE
from sympozium_controller.operator.kept import Kept
from sympozium_protocol.clock import seconds, utc
from sympozium_protocol.exits import Reason
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import NotFound
from sympozium_protocol.kube.resources import VOLUME_CLAIMS


class Memories:
    def __init__(
        self,
        api: KubeApi,
        runs: Cache,
        kept: Kept,
        deploying: Deploying,
        place: Place,
        keeping: Keeping = remembering.USUAL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._runs = runs
        self._kept = kept
        self._deploying = deploying
        self._place = place
        self._keeping = keeping
        self._clock = clock

    async def serve(self, instance: SympoziumInstance) -> Served:
        """Raises Ended (NameTaken), KubeError."""
        memory, fault = instance.spec.memory, remembering.fault_of(instance)
        if memory.enabled and not fault:
            await self._claim(instance)
            if memory.placement == "service":
                return await self._service(instance)
        # what is not wanted any more lets go of the volume, which stays
        existing = self._kept.deployments.get(instance.namespace, self._name(instance))
        if existing:
            await self._deploying.delete(existing)
        return Served(State(False, Reason.InvalidDocument.name, ": ".join(fault)) if fault else USABLE)

    @staticmethod
    def _name(instance: SympoziumInstance) -> str:
        return deployment_name(memory_service(instance.namespace, instance.name))

    async def _claim(self, instance: SympoziumInstance) -> None:
        namespace = instance.namespace
        wanted = remembering.claim(instance, namespace, self._keeping)
        name = wanted["metadata"]["name"]
        try:
            existing = await self._api.get(VOLUME_CLAIMS, name, namespace)
        except NotFound:
            await self._api.create(VOLUME_CLAIMS, wanted, namespace)
            return
        owners = remembering.claim_owners(existing, instance)
        if owners is not None:
            version = existing["metadata"]["resourceVersion"]
            body = {"metadata": {"resourceVersion": version, "ownerReferences": owners}}
            await self._api.patch(VOLUME_CLAIMS, name, body, namespace)

    async def _service(self, instance: SympoziumInstance) -> Served:
        namespace, name, now = instance.namespace, self._name(instance), self._clock()
        existing = self._kept.deployments.get(namespace, name)
        since = _started(existing)
        runs = self._runs.by(BY_INSTANCE, f"{namespace}/{instance.name}")
        replicas, again = remembering.replicas(runs, since, now, self._keeping.idle)
        if existing is None and not replicas:
            return Served(USABLE)  # it is started when it is first wanted
        document = remembering.memory(instance, namespace, replicas, self._place)
        if replicas:
            document["metadata"]["annotations"][STARTED] = utc(since or now)
        await self._deploying.apply(document)
        service = memory_service(namespace, instance.name)
        state = self._deploying.state("the memory", namespace, service) if replicas else USABLE
        return Served(state, name, again)


def _started(existing: KubeObject | None) -> float:
    """When the process was started; 0 while there is none."""
    if existing is None or not existing["spec"]["replicas"]:
        return 0.0
    try:
        return seconds(existing["metadata"].get("annotations", {}).get(STARTED, ""))
    except ValueError:
        return 0.0
