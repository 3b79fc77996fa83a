"""Are these schemas ones that a tool may have? Told once for each, as every run of a pack asks again.

A pattern of ten characters may take milliseconds to compile and megabytes to keep, and nothing else goes on meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final

MAX_PATTERNS: Final = 64
"""Patterns in the parameters of all tools of one pack."""
MAX_COMPILED: Final = 128 << 10
"""Bytes of one pattern as it is compiled: half a millisecond of it."""
MAX_PATTERN: Final = 1024
"""Characters of one."""
REMEMBERED: Final = 4096
"""Schemas whose faults are known; then all are looked at again."""

_FAULTS: Final[dict[bytes, str]] = {}
"""By the digest of the schema; empty for one without."""


def pattern_count(schema: object) -> int:
    """How many different patterns stand in it."""
    return len(set(_patterns(schema)))


def fault_of_schema(schema: dict[str, Any]) -> str:
    """Why this is no JSON Schema (2020-12) for a tool's arguments; empty when it is one."""
    key = sha256(json.dumps(schema).encode()).digest()
    if key not in _FAULTS:
        if len(_FAULTS) >= REMEMBERED:
            _FAULTS.clear()
        _FAULTS[key] = _fault(schema)
    return _FAULTS[key]


def _fault(schema: dict[str, Any]) -> str:
    if any(len(one) > MAX_PATTERN for one in _patterns(schema)):
        return f"a pattern has at most {MAX_PATTERN} characters"
    from sympozium_protocol.participant.arguments import validator  # here: most packs declare no tools

    try:
        validator(schema, largest=MAX_COMPILED)
    except ValueError as error:
        why = str(getattr(error, "message", error)).splitlines()[0][: 2 * MAX_PATTERN]  # it may repeat the whole schema
        return f"{why} of at most {MAX_COMPILED >> 10} KiB compiled" if why.endswith('is not a "regex"') else why
    return ""


def _patterns(part: object) -> Iterator[str]:
    """Whatever may be one."""
    left = [part]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += one
        elif isinstance(one, dict):
            left += one.values()
            found, named = one.get("pattern"), one.get("patternProperties")
            yield from [found] if isinstance(found, str) else []
            yield from named if isinstance(named, dict) else []
