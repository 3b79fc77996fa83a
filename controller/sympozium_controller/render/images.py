"""Where images are, and whose their programs are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

UID: Final = 1000
"""User and group of our images."""


@dataclass(frozen=True, slots=True)
class Images:
    """Where our images are. One that names its own place or tag is taken as it is."""

    registry: str
    tag: str

    def reference(self, image: str) -> str:
        return image if "/" in image or ":" in image else f"{self.registry}/{image}:{self.tag}"
