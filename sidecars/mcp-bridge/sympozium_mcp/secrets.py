"""Secrets: put into values on the way to a server, and taken out of everything that comes back from one."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages.servers import ServerSpec

SHORTEST: Final = 4
"""Characters: a shorter secret cannot be told from ordinary text, and taking it out would spoil every answer."""

_PLACE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def fill(value: str, where: str, server: ServerSpec, environment: Mapping[str, str]) -> str:
    """``value`` with every ``${KEY}`` replaced. Raises Ended (MissingKey), which names the server and the key."""

    def secret(found: re.Match[str]) -> str:
        key = found.group(1)
        variable = server.secrets.get(key)
        if variable is None:
            raise Ended(Reason.MissingKey, f"server {server.name}: {where}: secrets names no variable for {key}")
        if variable not in environment:
            raise Ended(Reason.MissingKey, f"server {server.name}: key {key}: the variable {variable} is not set")
        return environment[variable]

    return _PLACE.sub(secret, value)


class Redactor:
    """Takes secrets out of text, also where they were quoted for JSON or a URL, or encoded for an HTTP header."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        """Know a further secret."""
        for secret in {value, value.strip()}:
            if len(secret) >= SHORTEST:
                encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
                self._forms |= {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), encoded}
        self._pattern = None

    def text(self, text: str) -> str:
        """``text`` without the secrets."""
        if not self._forms:
            return text
        if self._pattern is None:  # the longest first: one secret may begin another
            self._pattern = re.compile("|".join(map(re.escape, sorted(self._forms, key=len, reverse=True))))
        return self._pattern.sub("[secret]", text)

    def bytes(self, data: bytes) -> bytes:
        """The same for what need be no text."""
        for form in sorted(self._forms, key=len, reverse=True):
            data = data.replace(form.encode(), b"[secret]")
        return data

    def json(self, value: Any) -> Any:
        """The same for every text in a JSON value."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.json(item) for item in value]
        if isinstance(value, dict):
            return {self.text(str(name)): self.json(item) for name, item in value.items()}
        return value
