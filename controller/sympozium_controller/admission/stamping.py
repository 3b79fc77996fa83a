"""Who asked for a run, and who wrote an instance: written on them at admission. Pure.

Where the cluster has MutatingAdmissionPolicy (v1, from 1.36 on), one of these writes it: without a call, and without
anybody's right to change what is written; another writes who cancels a run. Elsewhere a webhook does, but for the
cancelling, which waits for nothing of ours. Whatever wrote last, what is kept is compared once
more; that a requester never changes is a ValidatingAdmissionPolicy's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sympozium_controller.admission.authors import ANNOTATION_AUTHOR, stamp_of
from sympozium_controller.admission.reviews import FORBIDDEN, INVALID, UNAVAILABLE, Answer, Request
from sympozium_controller.names import ANNOTATION_REQUESTER
from sympozium_controller.weight import TOO_HEAVY
from sympozium_protocol.kube.resources import INSTANCES, RUNS


def wanted(request: Request) -> tuple[str, str] | None:
    """The annotation that this object has, and its value; None for kinds without one."""
    if request.kind == RUNS.kind:
        return ANNOTATION_REQUESTER, request.username
    if request.kind != INSTANCES.kind:
        return None
    if request.operation == "UPDATE" and request.object.get("spec") == request.old.get("spec"):
        return ANNOTATION_AUTHOR, annotation(request.old, ANNOTATION_AUTHOR) or ""
    return ANNOTATION_AUTHOR, stamp_of(request.user)


def annotation(value: Mapping[str, Any], name: str) -> str | None:
    """None where there is none."""
    metadata = value.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, dict) else None
    return found.get(name) if isinstance(found, dict) else None


def stamp(request: Request) -> Answer:
    """The patch that writes it, whatever stood there; nothing where it stands there already."""
    if request.heavy:
        return _too_heavy(request)
    found = wanted(request)
    return Answer(patch=_written(request.object, *found)) if found else Answer()


def _written(value: Mapping[str, Any], name: str, text: str) -> list[dict[str, Any]]:
    if annotation(value, name) == text:
        return []
    path = f"/metadata/annotations/{name.replace('~', '~0').replace('/', '~1')}"
    if (value.get("metadata") or {}).get("annotations") is None:
        return [{"op": "add", "path": "/metadata/annotations", "value": {name: text}}]
    return [{"op": "add", "path": path, "value": text}]


def check(request: Request) -> Answer | None:
    """None if it stands there as it must, and can be judged at all."""
    if request.heavy:
        return _too_heavy(request)
    expected = wanted(request)
    if expected is None:
        return None
    name, text = expected
    found = annotation(request.object, name)
    if found == text:
        return None
    if found is None:
        why = "whose this is was not written down: what does so came a moment ago, or is gone"
        return Answer(UNAVAILABLE, f"metadata.annotations.{name}: {why}; try again, or have Sympozium installed again")
    return Answer(FORBIDDEN, f"metadata.annotations.{name}: nobody but admission writes whose this is; leave it out")


def _too_heavy(request: Request) -> Answer:
    return Answer(INVALID, f"{request.kind} {request.namespace}/{request.name}: {TOO_HEAVY}")
