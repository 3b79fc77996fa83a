"""Which URLs a document of a run may have: addresses that there are, without what the agent may not read. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urlsplit

_SECRET: Final = re.compile(
    r"x?key|.*(api|access|auth|secret|private|license|master|service|subscription)key|sig|pass|auth|authorization|bearer|"
    r".*(token|secret|password|passwd|passphrase|pwd|credentials?|jwt|signature)"
)
"""Names of parameters, in small letters and digits, that say that their value is a secret."""
NO_ADDRESS: Final = "must be an http:// or https:// address, without user or password"


def is_http(url: str) -> bool:
    """Is it an address of http or https, without user or password, and with a port that there is?"""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False


def secret_in_url(url: str) -> str:
    """What of ``url`` is a secret by its place or its name, without its value; empty when nothing is."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if "@" in parts.netloc:
        return "a user or password before the host"
    given = "&".join((parts.query, parts.fragment)).replace(";", "&")
    for name, _ in parse_qsl(given):
        if _SECRET.fullmatch(re.sub(r"[^a-z0-9]", "", name.lower())):
            return f"a secret, by the name of its parameter {name}"
    return ""
