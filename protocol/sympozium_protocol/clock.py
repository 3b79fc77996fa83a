"""Time as text. The time itself is always an argument."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(seconds: float) -> str:
    """Seconds since the epoch as the ``Time`` of a document: RFC 3339, UTC, milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds(text: str) -> float:
    """The seconds since the epoch of such a text."""
    return datetime.fromisoformat(text).timestamp()
