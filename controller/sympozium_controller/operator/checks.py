"""Reconciles what runs are made of and nothing is made for: packs, policies, MCP servers. Their status tells whether
they are written right, which admission says before that to whoever writes them while it answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeAlias

from sympozium_controller.admission.judging import Known, judge
from sympozium_controller.errors import Origin, Refused
from sympozium_controller.lifecycle import readiness
from sympozium_controller.lifecycle.readiness import USABLE, State
from sympozium_controller.lifecycle.trim import is_too_heavy
from sympozium_controller.operator.cache import Cache
from sympozium_controller.operator.events import Events
from sympozium_controller.operator.holdings import Holdings
from sympozium_controller.operator.queue import Queue
from sympozium_controller.operator.reading import read
from sympozium_controller.weight import TOO_HEAVY
from sympozium_protocol.exits import Reason
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import NotFound

Checked: TypeAlias = tuple[str, str, str]
"""Kind, namespace and name."""
_ALONE: Final = Known()


class Checks:
    """``queue`` holds the keys of objects."""

    def __init__(self, api: KubeApi, held: Holdings, events: Events, clock: Callable[[], float] = time.time) -> None:
        self._api = api
        self._system = held.system
        self._events = events
        self._clock = clock
        self._caches: dict[str, Cache] = {one.resource.kind: one for one in (held.packs, held.policies, held.servers)}
        self.queue: Queue[Checked] = Queue("checks")
        for cache in self._caches.values():
            cache.on_change(self._changed)

    def _changed(self, before: KubeObject | None, after: KubeObject | None) -> None:
        if after is None:
            return
        if before and before["metadata"].get("generation") == after["metadata"].get("generation"):
            return  # its status: our own doing
        metadata = after["metadata"]
        self.queue.add((after["kind"], metadata.get("namespace", ""), metadata["name"]))

    async def reconcile(self, key: Checked) -> None:
        """Raises KubeError: to be tried again."""
        kind, namespace, name = key
        cache = self._caches[kind]
        one = cache.get(namespace, name)
        if one is None or one["metadata"].get("deletionTimestamp"):
            return
        if is_too_heavy(one):  # nor is its status written: the server takes minutes to write such an object
            self._events.tell(one, "Warning", Reason.InvalidDocument.name, TOO_HEAVY)
            return
        state = state_of(one, self._system)
        wanted = readiness.checked(one, state, self._clock())
        if wanted is None:
            return
        body = {"metadata": {"resourceVersion": one["metadata"]["resourceVersion"]}, "status": wanted}
        try:
            cache.put(await self._api.patch(cache.resource, name, body, namespace, subresource="status"))
        except NotFound:
            return  # deleted meanwhile; its watch says so
        if not state.ready:
            self._events.tell(one, "Warning", state.reason, wanted["conditions"][-1]["message"])


def state_of(one: KubeObject, system: str) -> State:
    """As admission judges it: what it says itself, whatever else is there. Pure."""
    try:
        refused = judge(read(one), Origin(f"{one['kind']}/{one['metadata']['name']}"), _ALONE, system=system).refused
    except Refused as fault:
        refused = fault
    return readiness.fault(one, refused) if refused else USABLE
