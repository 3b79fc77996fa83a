"""What the controller knows of the objects that serve instances: their Deployments, pods and network policies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from sympozium_controller.lifecycle import readiness, trim
from sympozium_controller.lifecycle.network import POLICIES
from sympozium_controller.lifecycle.services import SERVICES
from sympozium_controller.names import LABEL_SERVICE
from sympozium_controller.operator.cache import Cache
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.resources import DEPLOYMENTS, ENDPOINT_SLICES, NETWORK_POLICIES, PODS

BY_SERVICE: Final = "service"
BY_NAMESPACE: Final = "namespace"
API_SERVER: Final = ("default", "kubernetes")
"""The Service of the API server itself."""


def _service(one: KubeObject) -> Iterable[str]:
    metadata = one["metadata"]
    return (f"{metadata['namespace']}/{metadata.get('labels', {}).get(LABEL_SERVICE, '')}",)


def _namespace(one: KubeObject) -> Iterable[str]:
    return (one["metadata"]["namespace"],)


class Kept:
    """``namespaces``: what is watched; empty for all."""

    def __init__(self, api: KubeApi, namespaces: Sequence[str]) -> None:
        self.deployments = Cache(
            api,
            DEPLOYMENTS,
            namespaces,
            labels=SERVICES,
            trim=readiness.trimmed,
            indexes={BY_SERVICE: _service, BY_NAMESPACE: _namespace},
        )
        self.pods = Cache(
            api, PODS, namespaces, labels=SERVICES, trim=readiness.trimmed, indexes={BY_SERVICE: _service}
        )
        self.policies = Cache(api, NETWORK_POLICIES, namespaces, labels=POLICIES, trim=trim.packed)
        self.endpoints = Cache(
            api,
            ENDPOINT_SLICES,
            (API_SERVER[0],),
            labels=f"kubernetes.io/service-name={API_SERVER[1]}",
            trim=trim.whole,
        )

    def caches(self) -> tuple[Cache, ...]:
        return self.deployments, self.pods, self.policies, self.endpoints

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for one in self.caches():
                group.create_task(one.run())

    async def synced(self) -> None:
        for one in self.caches():
            await one.synced()
