"""Objects of the cluster as the pure half reads them: parsed once a version; of Secrets the names of keys alone."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from sympozium_controller.documents import read_object
from sympozium_controller.errors import Origin
from sympozium_controller.lifecycle.gather import Gathered, gather, missing_secrets
from sympozium_controller.objects import AgentRun, Object, SympoziumPolicy
from sympozium_controller.operator.cache import Cache
from sympozium_controller.operator.holdings import BY_NAMESPACE, Holdings
from sympozium_controller.policies import FLOOR_LABEL
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import NotFound
from sympozium_protocol.kube.resources import SECRETS

REMEMBERED: Final = 2000
FRESH: Final = 5.0
"""Seconds for which the names of a Secret's keys are believed."""


def read(one: KubeObject) -> Object:
    """Raises Refused naming the field."""
    metadata = one["metadata"]
    kept = {name: metadata[name] for name in ("name", "namespace", "labels", "annotations") if metadata.get(name)}
    document = {
        "apiVersion": one["apiVersion"],
        "kind": one["kind"],
        "metadata": kept | {"uid": metadata["uid"]},
        "spec": one.get("spec"),
    }
    return read_object(document, Origin(f"{one['kind']}/{metadata['name']}"))


class Reading:
    """Reads for ``gather``."""

    def __init__(self, api: KubeApi, holdings: Holdings) -> None:
        self._api = api
        self._system = holdings.system
        self._policies = holdings.policies
        self._caches: dict[str, Cache] = {
            one.resource.kind: one for one in (holdings.instances, holdings.packs, holdings.policies, holdings.servers)
        }
        self._parsed: OrderedDict[tuple[str, str], Object] = OrderedDict()
        self._keys: OrderedDict[tuple[str, str], tuple[float, frozenset[str] | None]] = OrderedDict()

    async def gathered(self, run: AgentRun) -> Gathered:
        """What the run means. Raises Refused, KubeError."""
        keys: dict[str, frozenset[str] | None] = {}
        while True:
            found = gather(run, self._find, self._floors, self._system, keys)
            wanted = tuple(missing_secrets(found, keys))
            if not wanted:
                return found
            for name in wanted:
                keys[name] = await self._keys_of(run.namespace, name)

    def _find(self, kind: str, namespace: str, name: str) -> Object | None:
        one = self._caches[kind].get(namespace, name)
        return self._read(one) if one else None

    def _floors(self, namespace: str) -> Iterable[SympoziumPolicy]:
        for one in self._policies.by(BY_NAMESPACE, namespace):
            if (one["metadata"].get("labels") or {}).get(FLOOR_LABEL) == "true":
                found = self._read(one)
                assert isinstance(found, SympoziumPolicy)
                yield found

    def _read(self, one: KubeObject) -> Object:
        key = one["metadata"]["uid"], one["metadata"]["resourceVersion"]
        found = self._parsed.get(key) or read(one)
        self._parsed[key] = found
        self._parsed.move_to_end(key)
        if len(self._parsed) > REMEMBERED:
            self._parsed.popitem(last=False)
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
