"""What is kept of an object of the cluster: what decisions read, and nothing else. Pure.

A controller holds thousands of finished runs, so of those only what a line and their clean-up need is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sympozium_controller.objects.status import FINAL
from sympozium_protocol.kube.api import KubeObject

OURS: Final = ("sympozium.ai/", "app.kubernetes.io/")
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
LONG_INPUT: Final = 4096
"""Characters of a message that is kept; a longer one is read when its run begins."""
_METADATA: Final = ("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp")
_LEAVING: Final = ("deletionTimestamp", "finalizers", "ownerReferences")
_FINAL_STATUS: Final = ("phase", "reason", "run", "jobName", "attempt", "completionTime")


def whole(one: KubeObject) -> KubeObject:
    """Everything but what others left in its metadata."""
    metadata = {name: value for name, value in one["metadata"].items() if name != "managedFields"}
    if LAST_APPLIED in metadata.get("annotations", {}):
        kept = {name: value for name, value in metadata["annotations"].items() if name != LAST_APPLIED}
        metadata["annotations"] = kept
    return {**one, "metadata": metadata}


def run(one: KubeObject) -> KubeObject:
    """An AgentRun; ``spec.input`` is None where it was left out."""
    status = one.get("status") or {}
    spec = one.get("spec")
    if status.get("phase") in FINAL:
        spec = {"instanceRef": (spec or {}).get("instanceRef", "")}
        status = _only(status, _FINAL_STATUS)
    elif isinstance(spec, dict):
        long = len(str(spec.get("input", ""))) > LONG_INPUT
        spec = {**spec, "input": None} if long else spec
        status = {name: value for name, value in status.items() if name != "output"}
    return {**_head(one), "spec": spec, "status": status}


def job(one: KubeObject) -> KubeObject:
    spec, status = one.get("spec", {}), one.get("status", {})
    kept = ("type", "status", "reason", "message", "lastTransitionTime")
    return {
        **_head(one),
        "spec": _only(spec, ("activeDeadlineSeconds", "ttlSecondsAfterFinished")),
        "status": {
            **_only(status, ("startTime",)),
            "conditions": [_only(condition, kept) for condition in status.get("conditions") or ()],
        },
    }


def pod(one: KubeObject) -> KubeObject:
    status = one.get("status", {})
    kept = ("type", "status", "reason", "message")
    return {
        **_head(one),
        "spec": _only(one.get("spec", {}), ("nodeName",)),
        "status": {
            **_only(status, ("phase", "reason", "message", "startTime")),
            "conditions": [_only(condition, kept) for condition in status.get("conditions") or ()],
            "initContainerStatuses": _containers(status.get("initContainerStatuses")),
            "containerStatuses": _containers(status.get("containerStatuses")),
        },
    }


def event(one: KubeObject) -> KubeObject:
    """An Event of the cluster's own controllers."""
    about = _only(one.get("involvedObject", {}), ("uid", "name", "kind"))
    return {**_head(one), "involvedObject": about, **_only(one, ("reason", "message", "lastTimestamp", "eventTime"))}


def account(one: KubeObject) -> KubeObject:
    return _head(one)


def _containers(found: Iterable[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    return [_only(one, ("name", "state", "image", "restartCount")) for one in found or ()]


def _head(one: KubeObject) -> KubeObject:
    metadata = one["metadata"]
    kept = _only(metadata, (*_METADATA, *_LEAVING))
    for name in ("labels", "annotations"):
        ours = {key: value for key, value in (metadata.get(name) or {}).items() if key.startswith(OURS)}
        # what a Job carries for its pod is read by the pod alone
        kept[name] = {key: value for key, value in ours.items() if len(value) <= LONG_INPUT}
    return {"apiVersion": one.get("apiVersion", ""), "kind": one.get("kind", ""), "metadata": kept}


def _only(found: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: found[name] for name in names if name in found}
