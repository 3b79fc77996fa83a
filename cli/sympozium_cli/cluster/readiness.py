"""When an object that was applied does what it is there for. Pure: objects in, what is still missing out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from sympozium_protocol.kube.api import KubeObject


class Hopeless(Exception):
    """What is waited for will not come: says why."""


def missing(found: KubeObject) -> str:
    """What is still to come, for a person; empty: nothing. Raises Hopeless."""
    look = _LOOKS.get(str(found.get("kind")))
    return look(found, found.get("status") or {}) if look else ""


def awaited(found: KubeObject) -> bool:
    """Is there anything to wait for?"""
    return str(found.get("kind")) in _LOOKS


def _definition(found: KubeObject, status: Mapping[str, Any]) -> str:
    known = {one["type"]: one for one in status.get("conditions") or ()}
    if (names := known.get("NamesAccepted")) and names["status"] == "False":
        raise Hopeless(str(names.get("message") or "another definition has its names"))
    return "" if known.get("Established", {}).get("status") == "True" else "is not established yet"


def _deployment(found: KubeObject, status: Mapping[str, Any]) -> str:
    wanted = int(found["spec"].get("replicas", 1))
    if int(status.get("observedGeneration", 0)) < int(found["metadata"]["generation"]):
        return "has not been looked at yet"
    updated, available = int(status.get("updatedReplicas") or 0), int(status.get("availableReplicas") or 0)
    old = int(status.get("replicas") or 0) - updated
    if updated < wanted:
        return f"{updated} of {wanted} pods are new"
    if old > 0:
        return f"{old} old pods are still there"
    return "" if available >= wanted else f"{available} of {wanted} pods are available"


def _stateful_set(found: KubeObject, status: Mapping[str, Any]) -> str:
    wanted = int(found["spec"].get("replicas", 1))
    if int(status.get("observedGeneration", 0)) < int(found["metadata"]["generation"]):
        return "has not been looked at yet"
    if int(status.get("updatedReplicas") or 0) < wanted and status.get("currentRevision") != status.get(
        "updateRevision"
    ):
        return "its pod is being replaced"
    ready = int(status.get("readyReplicas") or 0)
    return "" if ready >= wanted else f"{ready} of {wanted} pods are ready"


def _job(found: KubeObject, status: Mapping[str, Any]) -> str:
    for one in status.get("conditions") or ():
        if one["type"] == "Failed" and one["status"] == "True":
            raise Hopeless(f"failed: {one.get('message') or one.get('reason')}")
    return "" if status.get("succeeded") else "is not done yet"


_LOOKS: Final[Mapping[str, Callable[[KubeObject, Mapping[str, Any]], str]]] = {
    "CustomResourceDefinition": _definition,
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "Job": _job,
}


def ready(pod: KubeObject) -> bool:
    """Does it say that it does what it is there for?"""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def troubles(pods: Iterable[KubeObject]) -> tuple[str, ...]:
    """Why pods do not do what they should, in the cluster's own words, each once."""
    return tuple(dict.fromkeys(said for pod in pods for said in _of_pod(pod)))


def _of_pod(pod: KubeObject) -> Iterator[str]:
    status = pod.get("status") or {}
    name = pod["metadata"]["name"]
    for one in status.get("conditions") or ():
        if one["type"] == "PodScheduled" and one["status"] == "False":
            yield f"pod {name}: {one.get('reason')}: {one.get('message')}"
    for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = one.get("state", {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            ended = one.get("lastState", {}).get("terminated") or {}
            last = f"; it said last: {_last_line(ended['message'])}" if ended.get("message") else ""
            yield f"pod {name}: {waiting['reason']}: {waiting.get('message', '')}{last}"


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else ""
