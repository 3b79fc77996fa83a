"""Image names against a policy's list of registries. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

DOCKER: Final = "docker.io"
_ENTRY: Final = re.compile(r"[a-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9._-]+)*/?")


def is_ours(image: str) -> bool:
    """A bare name is an image of this installation, from the registry that whoever installed it chose."""
    return "/" not in image and ":" not in image and "@" not in image


def repository(image: str) -> str:
    """The whole name without tag and digest: ``nginx:1`` is ``docker.io/library/nginx``."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = f"{head}{slash}{last.partition(':')[0]}"
    first, _, rest = name.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"{DOCKER}/{name}" if rest else f"{DOCKER}/library/{name}"


def beginnings(registries: Iterable[str]) -> tuple[str, ...]:
    """How repositories of these begin, each a host or host/path: read once for all images."""
    return tuple(f"{entry.rstrip('/')}/" for entry in registries)


def comes_from(image: str, found: tuple[str, ...]) -> bool:
    """Is it in one of these ``beginnings``? ``host/acme`` has ``host/acme/x``, but not ``host/acme2``."""
    return f"{repository(image)}/".startswith(found)


def fault_of_registry(entry: str) -> str:
    """Why no image could come from this entry; empty when one could."""
    if "://" in entry:
        return f"{entry!r} is a URL: write host or host/path, without https://"
    if not _ENTRY.fullmatch(entry):
        return f"{entry!r} is neither a registry's host nor host/path"
    return ""
