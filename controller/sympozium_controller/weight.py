"""What an object weighs in memory, and how heavy one may be. Pure.

JSON of a megabyte can be thirty megabytes of Python's values: ``{}`` is two bytes there and some eighty here. A schema
bounds most of an object, but not what is free in form, and who may write an object may fill the rest with these.
"""

from __future__ import annotations

from typing import Any, Final

EACH: Final = 100
"""Bytes that each value and each name weighs, besides its text."""
HEAVIEST: Final = 2 << 20
"""Bytes of one object: what is heavier is refused, wherever it comes from."""
TOO_HEAVY: Final = (
    f"is too large: at most {HEAVIEST >> 20} MiB in memory, counting {EACH} bytes for each value and each name "
    "besides its text"
)


def weight(value: Any, most: int = HEAVIEST) -> int:
    """About the bytes that it takes; of what is heavier than ``most`` only that it is."""
    found, left = 0, [value]
    while left and found <= most:
        part = left.pop()
        found += EACH
        if isinstance(part, str):
            found += len(part)
        elif isinstance(part, dict):
            found += sum(EACH + len(str(name)) for name in part)
            left += part.values()
        elif isinstance(part, list | tuple):
            found += EACH * (len(part) if len(part) * EACH > most else 0)  # not even looked at
            left += part
    return found
