"""What a person of a cluster shows to the bus: the token that the cluster knows them by, and which run it is about."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import asdict, dataclass
from typing import Final, Self

from sympozium_protocol.bus.tokens import BadClaims

PREFIX: Final = "k8s."
"""No JWT begins so."""
LONGEST_NAME: Final = 253
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_RUN: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
"""Names of Kubernetes. They become part of a path that the keeper asks for: none may lead elsewhere."""


@dataclass(frozen=True, slots=True)
class ShownToken:
    """``run`` is the AgentRun's name in ``namespace``; ``name`` is what the cluster calls its holder, who comes to the
    bus as that person. The keeper believes neither: it asks the cluster."""

    token: str
    namespace: str
    run: str
    name: str

    def encode(self) -> str:
        text = json.dumps(asdict(self), separators=(",", ":"))
        return PREFIX + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Self:
        """Raises BadClaims, which never repeats what it read."""
        if not text.startswith(PREFIX):
            raise BadClaims(f"does not begin with {PREFIX}")
        data = text.removeprefix(PREFIX)
        try:
            found = json.loads(base64.b64decode(data + "=" * (-len(data) % 4), altchars=b"-_", validate=True))
            shown = cls(*(found[name] for name in ("token", "namespace", "run", "name")))
        except (ValueError, binascii.Error, KeyError, TypeError):
            raise BadClaims("holds no token, namespace, run and name") from None
        if not all(isinstance(value, str) and value for value in asdict(shown).values()):
            raise BadClaims("has a field that is empty or no text")
        if not _NAMESPACE.fullmatch(shown.namespace) or not _RUN.fullmatch(shown.run):
            raise BadClaims("is about a run of an impossible name")
        if len(shown.name) > LONGEST_NAME:
            raise BadClaims("has a name that is too long")
        return shown
