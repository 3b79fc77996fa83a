"""The names under which the tools of one server are offered. Pure; the same tools get the same names."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

LONGEST: Final = 64
"""Characters of a tool's name that the protocol and the model providers take."""
_HASH: Final = 8
_OTHER: Final = re.compile(r"[^A-Za-z0-9_-]")


def names(prefix: str, own: Iterable[str]) -> dict[str, str]:
    """The offered name of each of a server's ``own`` names; one that can have none is left out.

    A name that is valid with its prefix is kept. Of those that had to be changed, and of those that
    would then be the same, each carries a hash of its own name where it needs one.
    """
    own = list(dict.fromkeys(own))
    plain = {name: prefix + _OTHER.sub("_", name) for name in own}
    kept = {plain[name] for name in own if _fits(prefix, name, plain[name])}
    wanted = Counter(plain[name] for name in own if not _fits(prefix, name, plain[name]))
    found: dict[str, str] = {}
    for name in sorted(own, key=lambda name: not _fits(prefix, name, plain[name])):  # a name of its own goes first
        offered = plain[name]
        if not _fits(prefix, name, offered) and (
            len(offered) > LONGEST or offered in kept or wanted[offered] > 1 or not name
        ):
            offered = _hashed(offered, name)
        if offered not in found.values():
            found[name] = offered
    return {name: found[name] for name in own if name in found}


def _fits(prefix: str, name: str, offered: str) -> bool:
    return bool(name) and offered == prefix + name and len(offered) <= LONGEST


def _hashed(offered: str, name: str) -> str:
    tail = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:_HASH]
    return f"{offered[: LONGEST - _HASH - 1]}_{tail}"
