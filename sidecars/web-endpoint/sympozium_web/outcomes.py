"""A run's typed reason as an HTTP client reads it: status, and OpenAI's error object. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sympozium_protocol.exits import Reason

STATUS: Final[Mapping[Reason, int]] = {
    Reason.ContextTooLong: 400,
    Reason.ContentRefused: 400,
    Reason.PolicyDenied: 403,
    Reason.BudgetExceeded: 402,
    Reason.Timeout: 504,
    Reason.ProviderRateLimited: 503,
    Reason.ProviderQuota: 503,
    Reason.ParticipantUnavailable: 503,
    Reason.Cancelled: 503,
    Reason.Suspended: 503,
}
"""Reasons that say more than their decade."""
DECADES: Final[Mapping[int, int]] = {1: 500, 2: 502, 3: 502, 4: 422, 5: 503, 6: 500}
CODES: Final[Mapping[Reason, str]] = {
    Reason.ContextTooLong: "context_length_exceeded",
    Reason.ContentRefused: "content_filter",
}
"""Codes that OpenAI's clients know; all others are the reason itself."""

ONCE: Final = {"x-should-retry": "false"}
"""OpenAI's clients try 5xx again by themselves, and would start a further run, with its effects."""
RETRY_AFTER: Final = 5
"""Seconds after which a client that was turned away may look again."""


def status_of(reason: Reason) -> int:
    return STATUS.get(reason) or DECADES[reason // 10]


def error(message: str, kind: str, *, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """OpenAI's error object."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def is_inward(reason: Reason) -> bool:
    """Is its message, which may name files of this machine, for whoever runs the server and for no client?"""
    return reason // 10 in (1, 6)


def told(reason: Reason, message: str) -> str:
    """A reason and its message, as far as they are a client's."""
    if is_inward(reason):
        return f"{reason.name}: the log of this server says why"
    return f"{reason.name}: {message}" if message else reason.name


def without_paths(message: str, roots: Iterable[str]) -> str:
    """``message`` with no path below these directories in it."""
    known = "|".join(re.escape(root) for root in sorted(roots, key=len, reverse=True) if len(root) > 1)
    return re.sub(rf"(?:{known})(?=/|\b)[^\s:;,'\"()\[\]]*", "…", message) if known else message


def error_of(reason: Reason, message: str) -> dict[str, Any]:
    """Why a run gave no answer."""
    kind = "invalid_request_error" if status_of(reason) < 500 else "server_error"
    return error(told(reason, message), kind, code=CODES.get(reason, reason.name))
