"""The memory of an instance in a cluster: its volume, and the one process that holds it while it is wanted. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sympozium_controller.lifecycle import services
from sympozium_controller.lifecycle.plan import Place
from sympozium_controller.lifecycle.view import is_final
from sympozium_controller.memory import DIRECTORY, FILE, MEMORY
from sympozium_controller.names import (
    LABEL_INSTANCE,
    LABEL_MANAGED_BY,
    MANAGED_BY,
    label,
    memory_claim,
    memory_service,
)
from sympozium_controller.objects import SympoziumInstance
from sympozium_controller.render.egress import NONE
from sympozium_protocol.clock import seconds
from sympozium_protocol.exits import Reason
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.resources import VOLUME_CLAIMS

STARTED: Final = "sympozium.ai/wanted-since"
"""Annotation of the Deployment: when it was last given a pod."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """How memories are kept. ``size``: bytes of a volume. ``idle``: seconds without a run after which no process
    holds it. ``storage_class``: empty: the cluster's default."""

    size: int = 1 << 30
    idle: float = 600.0
    storage_class: str = ""


USUAL: Final = Keeping()


def fault_of(instance: SympoziumInstance) -> tuple[str, str] | None:
    """Field and fault of a memory that cannot be had as it is asked for."""
    memory = instance.spec.memory
    if memory.enabled and memory.placement == "sidecar" and instance.spec.max_concurrent_runs != 1:
        return "spec.memory.placement", "sidecar goes with maxConcurrentRuns: 1, since one pod alone has the volume"
    return None


def claim(instance: SympoziumInstance, namespace: str, keeping: Keeping = USUAL) -> KubeObject:
    """The volume's claim. ``retain: Retain`` outlives the instance: nobody owns it."""
    owners = [services.owner(instance)] if instance.spec.memory.retain == "Delete" else []
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOncePod"],
        "resources": {"requests": {"storage": str(keeping.size)}},
    }
    if keeping.storage_class:
        spec["storageClassName"] = keeping.storage_class
    return {
        "apiVersion": VOLUME_CLAIMS.api_version,
        "kind": VOLUME_CLAIMS.kind,
        "metadata": {
            "name": memory_claim(instance.name),
            "namespace": namespace,
            "labels": {LABEL_MANAGED_BY: MANAGED_BY, LABEL_INSTANCE: label(instance.name)},
            "ownerReferences": owners,
        },
        "spec": spec,
    }


def claim_owners(existing: KubeObject, instance: SympoziumInstance) -> list[dict[str, Any]] | None:
    """The owners that a claim is to have now; None: they are right, or it is a user's own and stays as it is."""
    metadata = existing["metadata"]
    if metadata.get("labels", {}).get(LABEL_MANAGED_BY) != MANAGED_BY:
        return None
    has: list[dict[str, Any]] = metadata.get("ownerReferences") or []
    others = [owner for owner in has if owner.get("kind") != "SympoziumInstance"]
    ours = [services.owner(instance)] if instance.spec.memory.retain == "Delete" else []
    return None if _uids(has) == _uids([*others, *ours]) else [*others, *ours]


def _uids(owners: Iterable[dict[str, Any]]) -> set[str]:
    return {owner["uid"] for owner in owners}


def memory(instance: SympoziumInstance, namespace: str, replicas: int, place: Place) -> KubeObject:
    """The Deployment of the process that holds the volume."""
    name = memory_service(namespace, instance.name)
    service = services.Service(
        name=name,
        participant=MEMORY,
        image="memory",
        command=("sympozium-memory", "serve", "--bus", "--service", name, "--namespace", namespace),
        egress=NONE,
        env={"SYMPOZIUM_MEMORY": f"{DIRECTORY}/{FILE}"},
        claim=memory_claim(instance.name),
        claimed=DIRECTORY,
        replicas=replicas,
        grace=10,
    )
    found = services.deployment(service, namespace, [services.owner(instance)], place)
    found["metadata"]["labels"][LABEL_INSTANCE] = label(instance.name)
    return found


def replicas(runs: Iterable[KubeObject], since: float, now: float, idle: float) -> tuple[int, float]:
    """How many processes: 1 while a run of the instance wants it, and ``idle`` seconds beyond. And in how many seconds
    to look again; 0: not before something changes. ``since``: when it was last started, 0: it is not.
    """
    last = since
    for run in runs:
        if _wants(run):
            return 1, 0.0
        last = max(last, _ended(run))
    left = last + idle - now
    return (1, left) if since and left > 0 else (0, 0.0)


def _wants(run: KubeObject) -> bool:
    """A run that is suspended has no pod, and may be for days."""
    return not is_final(run) and (run.get("status") or {}).get("reason") != Reason.Suspended.name


def _ended(run: KubeObject) -> float:
    ended = (run.get("status") or {}).get("completionTime")
    try:
        return seconds(ended) if ended else 0.0
    except ValueError:
        return 0.0
