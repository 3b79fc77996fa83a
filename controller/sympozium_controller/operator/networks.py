"""Keeps the network policies of namespaces with instances, as ``lifecycle.network`` says they are to be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sympozium_controller.lifecycle import trim
from sympozium_controller.lifecycle.network import DESTINATIONS, Around, again, around, base, of_class
from sympozium_controller.operator.cache import Key, key_of
from sympozium_controller.operator.kept import API_SERVER, Kept
from sympozium_controller.operator.queue import Queue
from sympozium_controller.render.egress import KUBERNETES
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import Forbidden, NotFound
from sympozium_protocol.kube.labels import CONTROLLER_ACCOUNT
from sympozium_protocol.kube.resources import NETWORK_POLICIES, SERVICES
from sympozium_protocol.process import log

_COMPARED: Final = ("podSelector", "policyTypes", "ingress", "egress")


class Networks:
    """``queue`` holds the keys of policies that somebody changed, or that the API server's move changes."""

    def __init__(self, api: KubeApi, kept: Kept, system: str) -> None:
        self._api = api
        self._kept = kept
        self._system = system
        self._service: KubeObject | None = None
        self._wanted: dict[Key, KubeObject] = {}
        self.queue: Queue[Key] = Queue("networks")
        kept.policies.on_change(self._policy_changed)
        kept.endpoints.on_change(self._moved)

    def _policy_changed(self, before: KubeObject | None, after: KubeObject | None) -> None:
        one = after or before
        assert one is not None
        self.queue.add(key_of(one))

    def _moved(self, _: KubeObject | None, __: KubeObject | None) -> None:
        for one in self._kept.policies.all():
            self.queue.add(key_of(one))

    async def prepare(self, namespace: str) -> None:
        """What every namespace with an instance has. Raises KubeError."""
        where = await self._around()
        await self._apply(base(namespace, where))
        await self.ensure(namespace, (KUBERNETES,))

    async def ensure(self, namespace: str, destinations: Iterable[str], name: str = "") -> None:
        """The policy of this class is there before a pod of it. Raises KubeError."""
        wanted = of_class(namespace, destinations, await self._around(), name)
        if wanted is not None:
            await self._apply(wanted)

    async def _around(self) -> Around:
        await self._kept.endpoints.synced()
        if self._service is None:
            namespace, name = API_SERVER
            self._service = await self._api.get(SERVICES, name, namespace)
        return around(self._kept.endpoints.all(), self._service, self._system)

    async def _apply(self, wanted: KubeObject) -> None:
        key = key_of(wanted)
        self._wanted[key] = wanted
        existing = self._kept.policies.get(*key)
        if existing is not None and _same(existing, wanted):
            return
        made = await self._api.patch(
            NETWORK_POLICIES, key[1], wanted, key[0], type="apply", manager=CONTROLLER_ACCOUNT, force=True
        )
        self._kept.policies.put(made)

    async def reconcile(self, key: Key) -> None:
        """Raises KubeError."""
        existing = self._kept.policies.get(*key)
        where = await self._around()
        known = self._wanted.get(key) or existing  # what was asked for goes before what the policy says of itself
        wanted = again(known, where) if known else None
        if wanted is None:
            return
        try:
            await self._apply(wanted)
        except (NotFound, Forbidden) as error:  # its namespace is going, or is gone
            if existing is not None:
                raise
            log("policy not made again", key=key, why=error.message)
            self._wanted.pop(key, None)


def _same(existing: KubeObject, wanted: KubeObject) -> bool:
    """The server leaves out what is empty."""
    has, should = trim.spec_of(existing) or {}, wanted["spec"]
    told = (existing["metadata"].get("annotations") or {}).get(DESTINATIONS)
    return told == wanted["metadata"]["annotations"][DESTINATIONS] and all(
        (has.get(name) or []) == (should.get(name) or []) for name in _COMPARED
    )
