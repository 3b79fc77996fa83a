"""What a renderer cannot enforce: it says so, by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NotEnforced:
    """A promise of the Pod that is not kept: a short name, and one sentence."""

    name: str
    what: str
