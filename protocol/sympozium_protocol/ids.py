"""Ids and their file names: pure, both ways."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from sympozium_protocol.messages.base import ID_PATTERN

_ID = re.compile(ID_PATTERN[1:-1])
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
MAX_NUMBER = 999_999_999


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def number_of(name: str) -> int | None:
    """The number of ``17.json``; None for any other name (leading zeros and larger numbers too)."""
    stem, dot, ending = name.partition(".")
    return int(stem) if dot and ending == "json" and _NUMBER.fullmatch(stem) else None


def id_of(name: str) -> str | None:
    """The id of ``<id>.json``; None for any other name."""
    stem, dot, ending = name.partition(".")
    return stem if dot and ending == "json" and is_id(stem) else None


def tool_call_id(seq: int, n: int) -> str:
    """The n-th tool call (from 1) of message ``seq``."""
    return f"{seq}-{n}"


def model_call_id(seq: int, attempt: int) -> str:
    """The attempt (from 1) at the completion that becomes message ``seq``."""
    return f"m{seq}-{attempt}"


def digest_of_files(files: Iterable[tuple[str, bytes]]) -> str:
    """Names several files together, as RunSpec does a pack: SHA-256 over each one's name, size and bytes, by name."""
    found = hashlib.sha256()
    for name, data in sorted(files):
        found.update(f"{name}\0{len(data)}\0".encode() + data)
    return found.hexdigest()
