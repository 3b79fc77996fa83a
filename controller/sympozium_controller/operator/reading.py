"""Objects of the cluster as the pure half reads them: parsed once a version; of Secrets the names of keys alone."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from sympozium_controller.documents import read_object
from sympozium_controller.errors import Origin, Refused
from sympozium_controller.lifecycle.gather import Find, Floors, Gathered, gather, missing_secrets, origin_of
from sympozium_controller.lifecycle.trim import is_too_heavy, spec_of
from sympozium_controller.objects import AgentRun, Object, SympoziumPolicy
from sympozium_controller.operator.cache import Cache
from sympozium_controller.operator.holdings import BY_NAMESPACE, Holdings
from sympozium_controller.policies import FLOOR_LABEL
from sympozium_controller.weight import TOO_HEAVY, weight
from sympozium_protocol.exits import Reason
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import NotFound
from sympozium_protocol.kube.resources import SECRETS

REMEMBERED: Final = 2000
TOGETHER: Final = 4 << 20
"""Bytes that the objects of one run may weigh, and those that are remembered."""
FRESH: Final = 5.0
"""Seconds for which the names of a Secret's keys are believed."""


def read(one: KubeObject) -> Object:
    """Raises Refused naming the field."""
    metadata, origin = one["metadata"], Origin(f"{one['kind']}/{one['metadata']['name']}")
    if is_too_heavy(one):
        raise Refused(Reason.InvalidDocument, origin, "", TOO_HEAVY)
    kept = {name: metadata[name] for name in ("name", "namespace", "labels", "annotations") if metadata.get(name)}
    document = {
        "apiVersion": one["apiVersion"],
        "kind": one["kind"],
        "metadata": kept | {"uid": metadata["uid"]},
        "spec": spec_of(one),
    }
    return read_object(document, origin)


class _Weights:
    """Of the objects of one run, each counted once."""

    def __init__(self, run: AgentRun) -> None:
        self._origin = origin_of(run)
        self._found: dict[str, int] = {}

    def add(self, uid: str, found: int) -> None:
        """Raises Refused."""
        self._found[uid] = found
        if sum(self._found.values()) > TOGETHER:
            why = f"the objects that it names are too large: {TOGETHER >> 20} MiB in memory, at most, all together"
            raise Refused(Reason.InvalidDocument, self._origin, "spec.instanceRef", why)


class Reading:
    """Reads for ``gather``."""

    def __init__(self, api: KubeApi, holdings: Holdings) -> None:
        self._api = api
        self._system = holdings.system
        self._policies = holdings.policies
        self._caches: dict[str, Cache] = {
            one.resource.kind: one for one in (holdings.instances, holdings.packs, holdings.policies, holdings.servers)
        }
        self._parsed: OrderedDict[tuple[str, str], tuple[Object, int]] = OrderedDict()
        self._weight = 0
        self._keys: OrderedDict[tuple[str, str], tuple[float, frozenset[str] | None]] = OrderedDict()

    async def gathered(self, run: AgentRun) -> Gathered:
        """What the run means. Raises Refused, KubeError."""
        keys: dict[str, frozenset[str] | None] = {}
        while True:
            weights = _Weights(run)
            found = gather(run, self._finder(weights), self._floors_of(weights), self._system, keys)
            wanted = tuple(missing_secrets(found, keys))
            if not wanted:
                return found
            for name in wanted:
                keys[name] = await self._keys_of(run.namespace, name)

    def _finder(self, weights: _Weights) -> Find:
        def find(kind: str, namespace: str, name: str) -> Object | None:
            one = self._caches[kind].get(namespace, name)
            return self._read(one, weights) if one else None

        return find

    def _floors_of(self, weights: _Weights) -> Floors:
        def floors(namespace: str) -> Iterable[SympoziumPolicy]:
            for one in self._policies.by(BY_NAMESPACE, namespace):
                if (one["metadata"].get("labels") or {}).get(FLOOR_LABEL) == "true":
                    found = self._read(one, weights)
                    assert isinstance(found, SympoziumPolicy)
                    yield found

        return floors

    def _read(self, one: KubeObject, weights: _Weights) -> Object:
        """Raises Refused."""
        key = one["metadata"]["uid"], one["metadata"]["resourceVersion"]
        known = self._parsed.get(key)
        found, heavy = known or (read(one), weight(spec_of(one)))
        weights.add(key[0], heavy)
        if known is None:
            self._parsed[key] = found, heavy
            self._weight += heavy
        self._parsed.move_to_end(key)
        while len(self._parsed) > REMEMBERED or self._weight > TOGETHER:
            self._weight -= self._parsed.popitem(last=False)[1][1]
        return found

    async def _keys_of(self, namespace: str, name: str) -> frozenset[str] | None:
        """Names of a Secret's keys; its values are let go of at once. None: there is none of that name."""
        now = time.monotonic()
        at, known = self._keys.get((namespace, name), (0.0, None))
        if known is not None and now - at < FRESH:
            return known
        try:
            secret = await self._api.get(SECRETS, name, namespace)
        except NotFound:
            return None
        keys = frozenset(secret.get("data") or ())
        self._keys[namespace, name] = (now, keys)
        if len(self._keys) > REMEMBERED:
            self._keys.popitem(last=False)
        return keys
