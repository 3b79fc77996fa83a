"""AdmissionReview (admission.k8s.io/v1), as the API server writes it and reads it. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sympozium_controller.errors import Refused
from sympozium_controller.weight import EACH, HEAVIEST
from sympozium_protocol.exits import Reason
from sympozium_protocol.kube.nesting import has_more_values, parse

API_VERSION: Final = "admission.k8s.io/v1"
MOST_VALUES: Final = 4 * HEAVIEST // EACH
"""Values of a request: of the object as it would be and as it is, and of who wrote which of their fields."""
LONGEST: Final = 256
"""Characters of a warning: the API server cuts longer ones where there are many."""
MOST: Final = 8
"""Warnings that one answer has."""

INVALID: Final = 422
FORBIDDEN: Final = 403
CONFLICT: Final = 409
UNAVAILABLE: Final = 503
TOO_LATE: Final = 504
_REASONS: Final = {
    INVALID: "Invalid",
    FORBIDDEN: "Forbidden",
    CONFLICT: "Conflict",
    UNAVAILABLE: "ServiceUnavailable",
    TOO_LATE: "Timeout",
}


class NoReview(Exception):
    """The body is no AdmissionReview that can be answered."""


@dataclass(frozen=True)
class Request:
    """What is to be judged. ``object`` as it would be kept, ``old`` as it is (empty on CREATE).

    ``heavy``: it holds more than any object of ours may, and nobody looked at either; ``object`` has its name alone.
    """

    uid: str
    operation: str
    kind: str
    namespace: str
    name: str
    object: dict[str, Any]
    old: dict[str, Any]
    user: Mapping[str, Any]
    heavy: bool = False

    @property
    def username(self) -> str:
        return str(self.user.get("username", ""))


@dataclass(frozen=True, slots=True)
class Answer:
    """``code`` is HTTP's word for a denial, 0 for what is allowed; ``message`` is what kubectl shows."""

    code: int = 0
    message: str = ""
    warnings: Sequence[str] = ()
    patch: Sequence[Mapping[str, Any]] = field(default=())


def request_of(body: bytes) -> Request:
    """Raises NoReview."""
    if has_more_values(body, MOST_VALUES):
        return _heavy(body)
    return _read(body)


def _heavy(body: bytes) -> Request:
    """What stands before the object: Kubernetes writes it first, and a quote within a text is not a bare one."""
    before = body.partition(b',"object":{')[0] + b',"object":{}}}'
    if has_more_values(before, MOST_VALUES):
        raise NoReview("the body holds too much, and not in an object")
    found = _read(before)
    named = {"kind": found.kind, "metadata": {"name": found.name, "namespace": found.namespace}}
    return replace(found, object=named, heavy=True)


def _read(body: bytes) -> Request:
    try:
        review = parse(body)
    except ValueError:
        raise NoReview("the body is no JSON") from None
    if not isinstance(review, dict) or review.get("apiVersion") != API_VERSION:
        raise NoReview(f"apiVersion: must be {API_VERSION}")
    request = review.get("request")
    if not isinstance(request, dict) or not isinstance(request.get("uid"), str):
        raise NoReview("request.uid: missing")
    kind, user = request.get("kind"), request.get("userInfo")
    found, old = request.get("object"), request.get("oldObject")
    if not isinstance(kind, dict) or not isinstance(user, dict) or not isinstance(found, dict):
        raise NoReview("request: must have kind, userInfo and object")
    return Request(
        uid=request["uid"],
        operation=str(request.get("operation")),
        kind=str(kind.get("kind")),
        namespace=str(request.get("namespace") or ""),
        name=str(request.get("name") or ""),
        object=found,
        old=old if isinstance(old, dict) else {},
        user=user,
    )


def encoded(request: Request, answer: Answer) -> bytes:
    """The AdmissionReview that answers this request."""
    response: dict[str, Any] = {"uid": request.uid, "allowed": not answer.code}
    if answer.code:
        reason = _REASONS.get(answer.code, "InternalError")
        response["status"] = {"code": answer.code, "reason": reason, "message": answer.message}
    if answer.warnings:
        response["warnings"] = [one[:LONGEST] for one in answer.warnings[:MOST]]
    if answer.patch and not answer.code:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(json.dumps(list(answer.patch)).encode()).decode()
    return json.dumps({"apiVersion": API_VERSION, "kind": "AdmissionReview", "response": response}).encode()


def refusal(refused: Refused) -> Answer:
    """Faults of what is written are Invalid; what policies and rights do not allow is Forbidden."""
    code = FORBIDDEN if refused.reason is Reason.PolicyUnsatisfiable else INVALID
    return Answer(code, refused.message)
