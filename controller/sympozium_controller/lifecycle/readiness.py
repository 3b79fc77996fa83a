"""What stands in the status of an instance: whether everything that its runs need is there and usable; and in that of
an object that others name: whether it is written right. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sympozium_controller.errors import Refused
from sympozium_controller.lifecycle.status import plain
from sympozium_controller.lifecycle.trouble import trouble_of
from sympozium_controller.lifecycle.view import View, condition
from sympozium_protocol.clock import utc
from sympozium_protocol.exits import reason_of
from sympozium_protocol.kube.api import KubeObject

READY: Final = "Ready"
AVAILABLE: Final = "Available"


@dataclass(frozen=True, slots=True)
class State:
    """``reason``: one word; ``message`` names the field or the object."""

    ready: bool
    reason: str
    message: str = ""


USABLE: Final = State(True, AVAILABLE)
STARTING: Final = "Starting"
"""The reason of what will pass by itself."""


@dataclass(frozen=True, slots=True)
class Served:
    """How an instance is served: the state, the Deployment's name, and in how many seconds to look again (0: not)."""

    state: State
    name: str = ""
    again: float = 0.0


def trimmed(deployment: KubeObject) -> KubeObject:
    """What is kept of a Deployment or a pod of a service."""
    metadata = deployment["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "labels", "annotations", "ownerReferences", "generation")
    status, spec = deployment.get("status") or {}, deployment.get("spec") or {}
    return {
        "apiVersion": deployment.get("apiVersion", ""),
        "kind": deployment.get("kind", ""),
        "metadata": {name: metadata[name] for name in (*kept, "creationTimestamp") if name in metadata},
        "spec": {"replicas": spec.get("replicas", 1)},
        "status": {
            name: status[name]
            for name in ("conditions", "phase", "containerStatuses", "observedGeneration", "updatedReplicas")
            if name in status
        },
    }


def state_of(what: str, deployment: KubeObject | None, pods: Iterable[tuple[KubeObject, str]]) -> State:
    """``what``: the gateway or the memory. ``pods``: each with what was last told of its volumes."""
    if deployment is None:
        return State(False, STARTING, f"{what} is being made")
    if not _is_current(deployment) or condition(deployment, "Available") is None:
        return _why(what, deployment, pods)
    return USABLE


def _is_current(deployment: KubeObject) -> bool:
    """Is what the Deployment's controller says about the Deployment as it is now?"""
    seen = deployment["status"].get("observedGeneration") or 0
    return bool(seen >= (deployment["metadata"].get("generation") or 0))


def _why(what: str, deployment: KubeObject, pods: Iterable[tuple[KubeObject, str]]) -> State:
    refused = condition(deployment, "ReplicaFailure")
    if refused:
        return State(False, "PodRefused", f"{what}: {refused.get('message', '')}")
    for pod, unmounted in sorted(pods, key=lambda one: str(one[0]["metadata"].get("creationTimestamp")), reverse=True):
        trouble = trouble_of(View(run={}, pod=pod, unmounted=unmounted))
        if trouble:
            return State(False, trouble.reason.name, f"{what}: {trouble.message}")
        if ended := _ended(pod):
            return State(False, ended[0], f"{what}: {ended[1]}")
    return State(False, STARTING, f"{what} is starting")


def _ended(pod: KubeObject) -> tuple[str, str] | None:
    """How its program ended the last time, while it is not started again."""
    for one in pod["status"].get("containerStatuses") or ():
        over = (one.get("state") or {}).get("terminated") or (one.get("lastState") or {}).get("terminated")
        if one.get("ready") or not over:
            continue
        code = int(over.get("exitCode") or 0)
        known = reason_of(code)
        told = " ".join(str(over.get("message") or "").split())[-512:]
        return (
            known.name if known else "Failed",
            f"its program ended with exit code {code}{': ' + told if told else ''}",
        )
    return None


def status(instance: KubeObject, state: State, gateway: str, memory: str, now: float) -> dict[str, Any] | None:
    """The status as it should be; None when it is so already."""
    return _news(instance, {**_own(instance, state, now), "gateway": gateway, "memory": memory})


def checked(one: KubeObject, state: State, now: float) -> dict[str, Any] | None:
    """The status of an object that nothing is made of, as it should be; None when it is so already."""
    return _news(one, _own(one, state, now))


def fault(one: KubeObject, refused: Refused) -> State:
    """What is wrong in an object, by its field; in another that it leads to, by that one's name as well."""
    own = f"{one['kind']}/{one['metadata']['name']}"
    why = f"{refused.field}: {refused.why}" if refused.field else refused.why
    return State(False, refused.reason.name, why if refused.file == own else refused.message)


def _own(one: KubeObject, state: State, now: float) -> dict[str, Any]:
    had: Mapping[str, Any] = one.get("status") or {}
    generation = one["metadata"].get("generation") or 0
    conditions = _conditions(had.get("conditions") or (), state, generation, now)
    return {"observedGeneration": generation, "conditions": conditions}


def _news(one: KubeObject, wanted: dict[str, Any]) -> dict[str, Any] | None:
    had: Mapping[str, Any] = one.get("status") or {}
    return None if all(had.get(name, "") == value for name, value in wanted.items()) else wanted


def _conditions(had: Iterable[Mapping[str, Any]], state: State, generation: int, now: float) -> list[dict[str, Any]]:
    """Those of others stay; the time is that of the last change."""
    others = [dict(one) for one in had if one.get("type") != READY]
    before = next((one for one in had if one.get("type") == READY), {})
    word = "True" if state.ready else "False"
    since = before.get("lastTransitionTime") if before.get("status") == word else None
    return [
        *others,
        {
            "type": READY,
            "status": word,
            "observedGeneration": generation,
            "lastTransitionTime": since or utc(now),
            "reason": state.reason,
            "message": plain(state.message),
        },
    ]
