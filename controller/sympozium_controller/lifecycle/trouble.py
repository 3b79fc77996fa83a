"""Why a run's pod does not begin: one typed reason and a sentence that names the thing. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sympozium_controller.lifecycle.view import View, containers
from sympozium_protocol.exits import Reason

_IMAGE: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError",
     "RegistryUnavailable", "SignatureValidationFailed"}
)  # fmt: skip
_SETUP: Final = frozenset({"CreateContainerConfigError"})
_START: Final = frozenset({"CreateContainerError", "RunContainerError"})
_SECRET: Final = re.compile(r"secret \"?[^\s\"]+\"? not found|key \S+ in Secret|non-existent secret key", re.I)


@dataclass(frozen=True, slots=True)
class Trouble:
    """It may pass, so the run waits for a while before it fails for this ``reason``."""

    reason: Reason
    message: str


def trouble_of(view: View) -> Trouble | None:
    """What keeps the pod of a Job from beginning; None while nothing is known to."""
    pod = view.pod
    if pod is None:
        return (
            Trouble(Reason.PodRefused, _one_line(f"the cluster makes no pod: {view.refused}")) if view.refused else None
        )
    found = (_container_trouble(one) for one in containers(pod))
    return next((one for one in found if one), None) or _unschedulable(pod) or _unmounted(view)


def _unmounted(view: View) -> Trouble | None:
    """Files of a Secret that is gone since: a node says so while the pod's containers are still to be made."""
    if not view.unmounted or any("running" in (one.get("state") or {}) for one in containers(view.pod)):
        return None
    reason = Reason.MissingKey if _SECRET.search(view.unmounted) else Reason.PodRefused
    return Trouble(reason, _one_line(f"a volume cannot be prepared: {view.unmounted}"))


def _container_trouble(one: Mapping[str, Any]) -> Trouble | None:
    waiting = (one.get("state") or {}).get("waiting")
    if not waiting:
        return None
    word, told = waiting.get("reason", ""), waiting.get("message", "")
    name = one.get("name", "")
    if word in _IMAGE:
        image = one.get("image", "")
        return Trouble(Reason.ImageUnavailable, _one_line(f"image {image} of container {name}: {word}: {told}"))
    if word in _SETUP:
        reason = Reason.MissingKey if _SECRET.search(told) else Reason.PodRefused
        return Trouble(reason, _one_line(f"container {name} cannot be set up: {told or word}"))
    if word in _START:
        return Trouble(Reason.PodRefused, _one_line(f"container {name} cannot be started: {told or word}"))
    return None


def _unschedulable(pod: Mapping[str, Any]) -> Trouble | None:
    for one in pod["status"].get("conditions") or ():
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            return Trouble(Reason.Unschedulable, _one_line(f"no node takes the pod: {one.get('message', '')}"))
    return None


def _one_line(text: str, longest: int = 1024) -> str:
    return " ".join(text.split())[:longest].rstrip(": ")
