"""Names as a cluster takes them: 63 characters, letters or digits at both ends. Pure."""

from __future__ import annotations

from typing import Final

from sympozium_controller.names import hashed

LONGEST: Final = 63


def label(name: str) -> str:
    """An id of ours, or two put together, as the name of a container or volume: cut and hashed where it must be."""
    plain = name.replace(".", "-")
    if len(plain) <= LONGEST and plain[-1] != "-" and plain == name:
        return plain
    return f"{plain[:52].rstrip('-')}-{hashed(name)}"
