"""What an API server refuses, by its kind, and that it cannot be reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class KubeError(Exception):
    """``status`` is HTTP's; ``reason`` the server's word (``NotFound``, ``Invalid`` …); ``message`` is for people.

    ``details``: what the server's Status says besides, with ``retry_after`` seconds where it named any.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.details = details or {}
        self.retry_after = retry_after


class Invalid(KubeError):
    """400 and 422: the object is not what its schema, a policy or a webhook wants."""


class Unauthorized(KubeError):
    """401: the server does not know who we are."""


class Forbidden(KubeError):
    """403: authorization, a quota, Pod Security, a policy or a webhook."""


class NotFound(KubeError):
    """404: no such object, or no such kind of object."""


class AlreadyExists(KubeError):
    """409 on create: there is an object of this name."""


class Conflict(KubeError):
    """409 otherwise: the object has changed since it was read, or another owns the field."""


class Expired(KubeError):
    """410: the version that a list or watch was to go on from is forgotten: list anew."""


class Busy(KubeError):
    """429, 500, 503, 504: nothing was decided; later it may be."""


class Away(KubeError):
    """No answer: the server cannot be reached, or the connection was lost. Whether a write was done is not known."""

    def __init__(self, message: str) -> None:
        super().__init__(0, "Away", message)


_BY_STATUS: Mapping[int, type[KubeError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
    422: Invalid,
    429: Busy,
    500: Busy,
    503: Busy,
    504: Busy,
}


def error_of(status: int, body: object, retry_after: float | None = None) -> KubeError:
    """The error in an answer: its Status object, or whatever stood in its place."""
    told = body if isinstance(body, dict) else {}
    reason = str(told.get("reason") or status)
    kind = AlreadyExists if reason == "AlreadyExists" else _BY_STATUS.get(status, KubeError)
    message = str(told.get("message") or body or f"HTTP {status}")
    details = told.get("details")
    return kind(status, reason, message, details if isinstance(details, dict) else None, retry_after)
