"""What can be chosen about an installation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sympozium_controller.errors import Refused
from sympozium_controller.flags import ON_COMMAND_LINE
from sympozium_controller.names import SYSTEM_NAMESPACE
from sympozium_controller.render.images import Images
from sympozium_protocol.exits import Reason

NO_STORAGE: Final = "none"
USUAL: Final = 10 << 30
"""Bytes of the bus's volume where nobody says how many."""
EPHEMERAL: Final = 2 << 30
"""Bytes that the bus may take of a node's disk where it has no volume."""
SPARE: Final = 0.1
"""Part of the bus's volume that its stream leaves to the file system and to files that are being rewritten."""
_UNITS: Final = {"Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}
_LEAST: Final = 256 << 20
_POLICIES: Final = ("Always", "IfNotPresent", "Never")


@dataclass(frozen=True, slots=True)
class Settings:
    """``bus_storage``: bytes of the bus's volume; None: it lives as long as its pod."""

    images: Images
    pull_secrets: tuple[str, ...] = ()
    pull_policy: str = "IfNotPresent"
    bus_storage: int | None = USUAL
    bus_storage_class: str = ""
    replicas: int = 2
    """Of the controller, and of the keeper."""
    mutating_policies: bool = True
    """Has the cluster MutatingAdmissionPolicies (from 1.36 on)?"""
    namespace: str = SYSTEM_NAMESPACE

    @property
    def store(self) -> int:
        """Bytes that all runs may take in the bus."""
        return int((self.bus_storage or EPHEMERAL) * (1 - SPARE))

    @classmethod
    def of(
        cls,
        *,
        registry: str,
        tag: str,
        pull_secrets: tuple[str, ...],
        pull_policy: str,
        bus_storage: str,
        bus_storage_class: str,
    ) -> Settings:
        """As the command line says it; ``bus_storage`` may be empty. Raises Refused (Usage)."""
        if pull_policy not in _POLICIES:
            raise _wrong("--image-pull-policy", f"must be one of {', '.join(_POLICIES)}")
        for option, value in (("--image-registry", registry), ("--image-tag", tag)):
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/-]*", value) or "//" in value:
                raise _wrong(option, f"{value!r} cannot be part of an image's name")
        return cls(
            Images(registry.rstrip("/"), tag), pull_secrets, pull_policy, _storage(bus_storage), bus_storage_class
        )


def _storage(text: str) -> int | None:
    if text == NO_STORAGE:
        return None
    if not text:
        return USUAL
    found = re.fullmatch(r"([0-9]{1,6})(Mi|Gi|Ti)", text)
    if not found or (size := int(found[1]) * _UNITS[found[2]]) < _LEAST:
        raise _wrong("--bus-storage", f"{text!r}: must be {NO_STORAGE}, or a size of 256Mi and more such as 10Gi")
    return size


def size_text(size: int = USUAL) -> str:
    """Bytes as ``--bus-storage`` takes them."""
    for suffix, unit in sorted(_UNITS.items(), key=lambda one: -one[1]):
        if size % unit == 0:
            return f"{size // unit}{suffix}"
    return str(size)


def _wrong(option: str, why: str) -> Refused:
    return Refused(Reason.Usage, ON_COMMAND_LINE, option, why)
