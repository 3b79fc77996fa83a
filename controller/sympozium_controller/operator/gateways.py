"""Keeps the model gateways of a namespace: one for each provider, address and key that its instances name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sympozium_controller.errors import Refused
from sympozium_controller.lifecycle import gateways, services
from sympozium_controller.lifecycle.gateways import Gateway
from sympozium_controller.lifecycle.plan import IN_POD, Place
from sympozium_controller.lifecycle.readiness import USABLE, Served, State
from sympozium_controller.lifecycle.trim import Packed
from sympozium_controller.names import LABEL_PARTICIPANT, deployment_name
from sympozium_controller.objects import Metadata, SympoziumInstance
from sympozium_controller.objects.instance import InstanceSpec
from sympozium_controller.operator.cache import Cache
from sympozium_controller.operator.deploying import Deploying, service_of
from sympozium_controller.operator.kept import BY_NAMESPACE, Kept
from sympozium_controller.operator.networks import Networks
from sympozium_controller.operator.reading import read
from sympozium_controller.outfit import API_KEY
from sympozium_controller.providers import MODEL
from sympozium_protocol.exits import Reason
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import NotFound
from sympozium_protocol.kube.resources import SECRETS

RESYNC: Final = 60.0
"""Seconds until the key of a gateway is looked at again: nobody watches Secrets, and it may be another one by then."""
_KEY_FIELD: Final = "spec.provider.apiKeySecret"


class Gateways:
    def __init__(
        self, api: KubeApi, instances: Cache, kept: Kept, deploying: Deploying, networks: Networks, place: Place
    ) -> None:
        self._api = api
        self._instances = instances
        self._kept = kept
        self._deploying = deploying
        self._networks = networks
        self._place = place
        self._known: dict[str, tuple[str, SympoziumInstance | None]] = {}

    async def serve(self, instance: SympoziumInstance) -> Served:
        """The gateway of this instance is there, and those that nobody wants any more are gone.

        Raises Ended (NameTaken), KubeError.
        """
        served = await self._serve(instance, instance.namespace)
        await self._forsake(instance.namespace)
        return served

    async def _serve(self, instance: SympoziumInstance, namespace: str) -> Served:
        provider = instance.spec.provider
        if provider is None:
            return Served(State(False, Reason.MissingReference.name, "spec.provider: missing: name a provider"))
        if provider.name in IN_POD:
            return Served(USABLE)
        if fault := gateways.fault_of(provider):
            return Served(State(False, Reason.InvalidDocument.name, ": ".join(fault)))
        wanted = gateways.gateway_of(instance, namespace)
        assert wanted is not None
        name = deployment_name(wanted.service)
        version, lacking = await self._key(wanted)
        if lacking:
            return Served(State(False, "MissingSecret", f"{_KEY_FIELD}: {lacking}"), name)
        await self._networks.ensure(namespace, wanted.destinations, wanted.egress)
        everybody = gateways.wanted(self._readable(namespace), namespace)
        _, wanting = everybody.get(wanted.service, (wanted, [instance]))
        document = gateways.gateway(wanted, [services.owner(one) for one in wanting], self._place, version)
        await self._deploying.apply(document)
        state = self._deploying.state("the model gateway", namespace, wanted.service)
        return Served(state, name, RESYNC if wanted.secret else 0.0)

    async def _key(self, wanted: Gateway) -> tuple[str, str]:
        """The version of the Secret, or what is missing. Its value is let go of at once."""
        if not wanted.secret:
            return "", ""
        try:
            secret = await self._api.get(SECRETS, wanted.secret, wanted.namespace)
        except NotFound:
            return "", f"there is no Secret {wanted.secret}"
        if not (secret.get("data") or {}).get(API_KEY):
            return "", f"the Secret {wanted.secret} has no key {API_KEY}"
        return f"{secret['metadata']['uid']}/{secret['metadata']['resourceVersion']}", ""

    async def _forsake(self, namespace: str) -> None:
        """A gateway goes when no instance names it any more. What an unreadable instance has stays as it is."""
        readable = list(self._readable(namespace))
        wanted = gateways.wanted(readable, namespace)
        known = {one.metadata.uid for one in readable}
        unreadable = {one["metadata"]["uid"] for one in self._of(namespace)} - known
        for one in list(self._kept.deployments.by(BY_NAMESPACE, namespace)):
            owners = {owner["uid"] for owner in one["metadata"].get("ownerReferences") or ()}
            is_gateway = one["metadata"].get("labels", {}).get(LABEL_PARTICIPANT) == MODEL
            if is_gateway and service_of(one) not in wanted and not owners & unreadable:
                await self._deploying.delete(one)

    def _of(self, namespace: str) -> Iterator[KubeObject]:
        return (one for one in self._instances.all() if one["metadata"]["namespace"] == namespace)

    def _readable(self, namespace: str) -> Iterator[SympoziumInstance]:
        """Those that can be read; of each what its gateway needs, for there may be many, and large ones."""
        for one in self._of(namespace):
            found = self._thin(one)
            if found and not one["metadata"].get("deletionTimestamp"):
                yield found

    def _thin(self, one: KubeObject) -> SympoziumInstance | None:
        """One whose spec is packed is read once a version."""
        uid, version = one["metadata"]["uid"], one["metadata"]["resourceVersion"]
        if uid not in self._known or self._known[uid][0] != version:
            found = _thinned(one)
            if not isinstance(one.get("spec"), Packed):
                return found
            if len(self._known) > 2 * len(self._instances):
                self._known.clear()
            self._known[uid] = version, found
        return self._known[uid][1]


def _thinned(one: KubeObject) -> SympoziumInstance | None:
    """None for one that cannot be read."""
    try:
        found = read(one)
    except Refused:
        return None
    assert isinstance(found, SympoziumInstance)
    provider = found.spec.provider and found.spec.provider.model_copy(update={"options": {}})
    metadata = Metadata(name=found.name, namespace=found.namespace, uid=found.metadata.uid)
    return SympoziumInstance(metadata=metadata, spec=InstanceSpec(provider=provider))
