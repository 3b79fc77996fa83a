"""Reconciles instances: their runs find a gateway and a memory to call, and the status tells whether they do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from sympozium_controller.admission.judging import Known, judge
from sympozium_controller.documents import Objects
from sympozium_controller.errors import Refused
from sympozium_controller.lifecycle import readiness
from sympozium_controller.lifecycle.gateways import fault_of
from sympozium_controller.lifecycle.gather import Gathered, origin_of
from sympozium_controller.lifecycle.readiness import USABLE, Served, State
from sympozium_controller.lifecycle.trim import brief_of, is_too_heavy
from sympozium_controller.lifecycle.view import instance_of, is_final
from sympozium_controller.objects import AgentRun, Metadata, SympoziumInstance
from sympozium_controller.objects.run import RunObjectSpec
from sympozium_controller.operator.cache import Key, key_of
from sympozium_controller.operator.deploying import service_of
from sympozium_controller.operator.events import Events
from sympozium_controller.operator.gateways import Gateways
from sympozium_controller.operator.holdings import Holdings
from sympozium_controller.operator.kept import BY_SERVICE, Kept
from sympozium_controller.operator.memories import Memories
from sympozium_controller.operator.networks import Networks
from sympozium_controller.operator.queue import Queue
from sympozium_controller.operator.reading import Reading, read
from sympozium_controller.weight import TOO_HEAVY
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import Forbidden, Invalid, NotFound
from sympozium_protocol.kube.resources import INSTANCES

MISSING_AGAIN: Final = 2.0
"""Seconds until an instance that lacks something is looked at again: nobody watches Secrets."""
REFUSED_AGAIN: Final = 60.0


class Instances:
    """``queue`` holds the keys of instances."""

    def __init__(
        self,
        api: KubeApi,
        held: Holdings,
        kept: Kept,
        reading: Reading,
        networks: Networks,
        gateways: Gateways,
        memories: Memories,
        events: Events,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._held = held
        self._kept = kept
        self._reading = reading
        self._networks = networks
        self._gateways = gateways
        self._memories = memories
        self._events = events
        self._clock = clock
        self.queue: Queue[Key] = Queue("instances")
        self._listen()

    # -- what makes an instance worth a look -----------------------------------------------------------------

    def _listen(self) -> None:
        self._held.instances.on_change(self._instance_changed)
        self._held.runs.on_change(self._run_changed)
        for named in (self._held.packs, self._held.policies, self._held.servers):
            named.on_change(self._named_changed)
        for cache in (self._kept.deployments, self._kept.pods):
            cache.on_change(self._service_changed)
        self._held.unmounted.on_change(self._told_of_pod)

    def _instance_changed(self, before: KubeObject | None, after: KubeObject | None) -> None:
        one = after or before
        assert one is not None
        if before and after and before["metadata"].get("generation") == after["metadata"].get("generation"):
            return  # its status: our own doing
        self.queue.add(key_of(one))
        if before is not None:  # it may share a gateway, or have been the last that wanted one
            self._add_all(one["metadata"]["namespace"])

    def _add_all(self, namespace: str) -> None:
        for one in self._held.instances.all():
            if one["metadata"]["namespace"] == namespace:
                self.queue.add(key_of(one))

    def _run_changed(self, before: KubeObject | None, after: KubeObject | None) -> None:
        """A memory is wanted by runs that go on."""
        one = after or before
        assert one is not None
        key = one["metadata"]["namespace"], instance_of(one)
        instance = self._held.instances.get(*key)
        if instance and _has_memory(instance) and _goes_on(before) != _goes_on(after):
            self.queue.add(key)

    def _named_changed(self, before: KubeObject | None, after: KubeObject | None) -> None:
        one = after or before
        assert one is not None
        namespace = one["metadata"]["namespace"]
        for instance in self._held.instances.all():
            if namespace in (instance["metadata"]["namespace"], self._held.system):
                self.queue.add(key_of(instance))

    def _service_changed(self, before: KubeObject | None, after: KubeObject | None) -> None:
        """A Deployment, or a pod of one, is of interest to the instances that own the Deployment."""
        one = after or before
        assert one is not None
        namespace = one["metadata"]["namespace"]
        for found in (one, *self._kept.deployments.by(BY_SERVICE, f"{namespace}/{service_of(one)}")):
            for owner in found["metadata"].get("ownerReferences") or ():
                if owner["kind"] == INSTANCES.kind:
                    self.queue.add((namespace, owner["name"]))

    def _told_of_pod(self, _: KubeObject | None, after: KubeObject | None) -> None:
        if after is not None:
            pod = self._kept.pods.get(after["metadata"]["namespace"], after["involvedObject"].get("name", ""))
            if pod is not None:
                self._service_changed(None, pod)

    # -- one look ----------------------------------------------------------------------------------------------

    async def reconcile(self, key: Key) -> None:
        """Raises KubeError: to be tried again."""
        one = self._held.instances.get(*key)
        if one is None or one["metadata"].get("deletionTimestamp"):
            return  # what served it alone is deleted by the cluster: it owned it
        if is_too_heavy(one):  # nor is its status written: the server takes minutes to write such an object
            self._events.tell(one, "Warning", Reason.InvalidDocument.name, TOO_HEAVY)
            return
        gateway = memory = missing = Served(USABLE)
        try:
            instance = read(one)
            assert isinstance(instance, SympoziumInstance)
            await self._networks.prepare(instance.namespace)
            gateway = await self._gateways.serve(instance)
            memory = await self._memories.serve(instance)
            missing = await self._missing(instance)
        except Refused as fault:
            missing = Served(readiness.fault(one, fault))
        except Ended as error:
            missing = Served(State(False, error.reason.name, error.message), again=REFUSED_AGAIN)
        except (Forbidden, Invalid) as error:
            missing = Served(State(False, "Refused", error.message), again=REFUSED_AGAIN)
        await self._tell(one, gateway, memory, missing)
        if again := min(filter(None, (gateway.again, memory.again, missing.again)), default=0.0):
            self.queue.add(key, again)

    async def _missing(self, instance: SympoziumInstance) -> Served:
        """Is it written right, and everything there that a run of it would name? Raises Refused."""
        asked = AgentRun(
            metadata=Metadata(name=instance.name, namespace=instance.namespace),
            spec=RunObjectSpec(instance_ref=instance.name, input="-"),
        )
        origin = origin_of(instance)
        if instance.spec.provider and (fault := fault_of(instance.spec.provider)):
            raise Refused(Reason.InvalidDocument, origin, *fault)
        found = await self._reading.gathered(asked)
        if refused := judge(instance, origin, _known(found), system=self._held.system).refused:
            raise refused
        if found.missing is None:
            return Served(USABLE)
        return Served(State(False, f"Missing{found.missing.kind}", found.missing.why), again=MISSING_AGAIN)

    async def _tell(self, one: KubeObject, gateway: Served, memory: Served, missing: Served) -> None:
        state = next((found.state for found in (missing, gateway, memory) if not found.state.ready), USABLE)
        wanted = readiness.status(one, state, gateway.name, memory.name, self._clock())
        if wanted is None:
            return
        metadata = one["metadata"]
        body = {"metadata": {"resourceVersion": metadata["resourceVersion"]}, "status": wanted}
        try:
            after = await self._api.patch(
                INSTANCES, metadata["name"], body, metadata["namespace"], subresource="status"
            )
        except NotFound:
            return  # deleted meanwhile; its watch says so
        self._held.instances.put(after)
        if not state.ready and state.reason != readiness.STARTING:
            self._events.tell(one, "Warning", state.reason, state.message)


def _known(found: Gathered) -> Known:
    """Without the run that was asked for."""
    others = {key: one for key, one in found.objects.found.items() if not isinstance(one, AgentRun)}
    return Known(Objects(others, found.objects.origins), found.packs)


def _goes_on(run: KubeObject | None) -> bool:
    return run is not None and not is_final(run)


def _has_memory(instance: KubeObject) -> bool:
    memory = brief_of(instance).get("memory")
    return isinstance(memory, dict) and memory.get("enabled") is True
