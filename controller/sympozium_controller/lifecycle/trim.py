"""What is kept of an object of the cluster: what decisions read, and nothing else. Pure.

A controller holds thousands of finished runs, so of those only what a line and their clean-up need is kept. And what
lies there unused costs hardly more than it does where it is stored: a large spec is kept packed until somebody reads
it, and one that nobody will read is not kept.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sympozium_controller.names import LABEL_MANAGED_BY, LABEL_RUN_UID
from sympozium_controller.objects.status import FINAL
from sympozium_controller.policies import FLOOR_LABEL
from sympozium_controller.weight import HEAVIEST, weight
from sympozium_protocol.kube.api import KubeObject

OURS: Final = ("sympozium.ai/", "app.kubernetes.io/")
LONG_INPUT: Final = 4096
"""Characters of a message that is kept; a longer one is read when its run begins."""
LIGHT: Final = 16 << 10
"""Bytes that a spec may weigh to be kept as it is."""
FEW: Final = 64
"""Labels, annotations and owners of ours that are kept of one object."""
LONGEST: Final = 1024
"""Characters of what an Event says."""
_FIRST: Final = (FLOOR_LABEL, LABEL_MANAGED_BY, LABEL_RUN_UID)
"""Labels that are kept in any case: without them an object is another one."""
_METADATA: Final = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
)
_FINAL_STATUS: Final = ("phase", "reason", "run", "jobName", "attempt", "completionTime")


def whole(one: KubeObject) -> KubeObject:
    """Everything but who wrote which field. For what the cluster itself writes."""
    return {**one, "metadata": {name: value for name, value in one["metadata"].items() if name != "managedFields"}}


@dataclass(frozen=True, slots=True)
class Packed:
    """A spec that is kept small. ``data``: None for one that is too heavy to be read.

    ``brief``: what of an instance's is looked at again and again.
    """

    data: bytes | None
    brief: Mapping[str, Any]

    @classmethod
    def of(cls, spec: Any) -> Packed:
        heavy = weight(spec) > HEAVIEST
        written = b"" if heavy else json.dumps(spec, separators=(",", ":")).encode()
        return cls(None if heavy else zlib.compress(written, 1), _brief(spec))

    def value(self) -> Any:
        """None for one that is too heavy."""
        return None if self.data is None else json.loads(zlib.decompress(self.data))


def packed(one: KubeObject) -> KubeObject:
    """Everything that is ours. Who reads its spec does it through ``spec_of``, or ``brief_of``."""
    spec, status = one.get("spec"), one.get("status")
    annotations = _few(one["metadata"].get("annotations"))
    kept = Packed.of(spec) if weight(spec, LIGHT) > LIGHT else spec
    if weight(annotations, 4 * LIGHT) > 4 * LIGHT:  # who wrote it is among them
        kept, annotations = Packed(None, _brief(spec)), {}
    head = _head(one)
    head["metadata"]["annotations"] = annotations
    told = {"status": status} if status is not None and weight(status, LIGHT) <= LIGHT else {}
    return {**head, "spec": kept, **told}


def spec_of(one: KubeObject) -> Any:
    """As it was written; None where there is none, and where it is too heavy."""
    spec = one.get("spec")
    return spec.value() if isinstance(spec, Packed) else spec


def is_too_heavy(one: KubeObject) -> bool:
    spec = one.get("spec")
    return isinstance(spec, Packed) and spec.data is None


def brief_of(instance: KubeObject) -> Mapping[str, Any]:
    """Of its spec ``maxConcurrentRuns`` and ``memory.enabled``, at least."""
    spec = instance.get("spec")
    if isinstance(spec, Packed):
        return spec.brief
    return spec if isinstance(spec, dict) else {}


def _brief(spec: Any) -> dict[str, Any]:
    if not isinstance(spec, dict):
        return {}
    places, memory = spec.get("maxConcurrentRuns"), spec.get("memory")
    found: dict[str, Any] = {"maxConcurrentRuns": places} if isinstance(places, int) else {}
    return found | ({"memory": {"enabled": memory.get("enabled") is True}} if isinstance(memory, dict) else {})


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
    told = {"message": str(one.get("message") or "")[:LONGEST]}
    return {**_head(one), "involvedObject": about, **_only(one, ("reason", "lastTimestamp", "eventTime")), **told}


def account(one: KubeObject) -> KubeObject:
    return _head(one)


def _containers(found: Iterable[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    return [_only(one, ("name", "state", "image", "restartCount")) for one in found or ()]


def _head(one: KubeObject) -> KubeObject:
    metadata = one["metadata"]
    # what a Job carries for its pod is read by the pod alone
    short = {key: value for key, value in _few(metadata.get("annotations")).items() if len(value) <= LONG_INPUT}
    kept = {**_only(metadata, _METADATA), "labels": _few(metadata.get("labels")), "annotations": short}
    if owners := metadata.get("ownerReferences"):
        kept["ownerReferences"] = owners[:FEW]
    return {"apiVersion": one.get("apiVersion", ""), "kind": one.get("kind", ""), "metadata": kept}


def _few(found: Mapping[str, str] | None) -> dict[str, str]:
    """Those of ours: whose else they are, anybody can write as many as he likes."""
    ours = {key: value for key, value in (found or {}).items() if key.startswith(OURS)}
    if len(ours) <= FEW:
        return ours
    first = {key: ours[key] for key in _FIRST if key in ours}
    return first | dict(list(ours.items())[: FEW - len(first)])


def _only(found: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: found[name] for name in names if name in found}
