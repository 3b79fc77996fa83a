"""Who asked for a run, written on it when it is made and never changed. Pure.

Where the cluster has MutatingAdmissionPolicy (v1, from 1.36 on), one of these writes it: without a call, and without
anybody's right to change what is written. Elsewhere a webhook does. Whatever wrote last, what is kept is compared once
more; that it never changes later is a ValidatingAdmissionPolicy's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sympozium_controller.admission.reviews import FORBIDDEN, UNAVAILABLE, Answer, Request
from sympozium_controller.names import ANNOTATION_REQUESTER


def annotation(value: Mapping[str, Any], name: str) -> str | None:
    """None where there is none."""
    metadata = value.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, dict) else None
    return found.get(name) if isinstance(found, dict) else None


def stamp(request: Request) -> Answer:
    """The patch that writes it, whatever stood there; nothing where it stands there already."""
    return Answer(patch=written(request.object, ANNOTATION_REQUESTER, request.username))


def written(value: Mapping[str, Any], name: str, wanted: str) -> list[dict[str, Any]]:
    """The JSON patch after which the annotation is ``wanted``."""
    if annotation(value, name) == wanted:
        return []
    path = f"/metadata/annotations/{name.replace('~', '~0').replace('/', '~1')}"
    if (value.get("metadata") or {}).get("annotations") is None:
        return [{"op": "add", "path": "/metadata/annotations", "value": {name: wanted}}]
    return [{"op": "add", "path": path, "value": wanted}]


def check(request: Request) -> Answer | None:
    """None if it stands there as it must."""
    found = annotation(request.object, ANNOTATION_REQUESTER)
    if found == request.username:
        return None
    field = f"metadata.annotations.{ANNOTATION_REQUESTER}"
    if found is None:
        why = "who asked for this run was not written down: what does so came a moment ago, or is gone"
        return Answer(UNAVAILABLE, f"{field}: {why}; try again, or have Sympozium installed again")
    return Answer(FORBIDDEN, f"{field}: says who asked for this run, and nobody but admission writes it; leave it out")
