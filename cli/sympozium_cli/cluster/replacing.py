"""Pods of a StatefulSet that keep its next ones from coming.

Kubernetes replaces a pod of a StatefulSet only once it is ready: one that never will be, because what it was made of
cannot be, stays for ever, whatever the StatefulSet says meanwhile (its documentation calls it a forced rollback).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from sympozium_cli.cluster.readiness import ready
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import Conflict, NotFound
from sympozium_protocol.kube.resources import PODS

REVISION: Final = "controller-revision-hash"


async def replace_stuck(api: Client, found: KubeObject) -> list[str]:
    """Deletes them, and names them. Raises KubeError."""
    metadata = found["metadata"]
    labels = ",".join(f"{name}={value}" for name, value in found["spec"]["selector"]["matchLabels"].items())
    pods = (await api.list(PODS, metadata["namespace"], labels=labels)).items
    names = []
    for pod in stuck(found, pods):
        try:
            own = pod["metadata"]
            await api.delete(PODS, own["name"], own["namespace"], uid=own["uid"])
            names.append(own["name"])
        except (NotFound, Conflict):  # it is gone, or another one is there
            continue
    return names


def stuck(found: KubeObject, pods: Iterable[KubeObject]) -> Iterator[KubeObject]:
    """Those of former revisions that are not ready. Pure."""
    status = found.get("status") or {}
    wanted = status.get("updateRevision")
    if not wanted or int(status.get("observedGeneration") or 0) < int(found["metadata"]["generation"]):
        return
    for pod in pods:
        revision = (pod["metadata"].get("labels") or {}).get(REVISION)
        if revision not in (None, wanted) and not ready(pod) and not pod["metadata"].get("deletionTimestamp"):
            yield pod
