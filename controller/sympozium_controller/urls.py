"""What of a URL may not stand in a document of a run, which the agent can read. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urlsplit

_SECRET: Final = re.compile(
    r"x?key|.*(api|access|auth|secret|private|license|master|service|subscription)key|sig|pass|auth|authorization|bearer|"
    r".*(token|secret|password|passwd|passphrase|pwd|credentials?|jwt|signature)"
)
"""Names of parameters, in small letters and digits, that say that their value is a secret."""


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
