"""NATS's own tokens: JWTs signed with an nkey, between the server and whoever answers its auth callout.

Such a JWT names ``ed25519-nkey`` as its algorithm and its signer's public key as its issuer; libraries for JWTs know
neither. Version 2 of the format.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any, Final

from sympozium_bus_auth import nkeys
from sympozium_bus_auth.nkeys import BadKey, KeyPair

_HEADER: Final = {"typ": "JWT", "alg": "ed25519-nkey"}


class BadJwt(ValueError):
    """A token that is none, or whose signature is not its issuer's."""


def sign(claims: dict[str, Any], pair: KeyPair, *, now: float) -> str:
    """``claims`` with issuer, time and id, signed."""
    body = {**claims, "iss": pair.public, "iat": int(now)}
    body["jti"] = base64.b32encode(hashlib.sha256(_json(body)).digest()).decode().rstrip("=")
    text = f"{_encode(_json(_HEADER))}.{_encode(_json(body))}"
    return f"{text}.{_encode(pair.sign(text.encode()))}"


def verify(token: str, kind: int) -> dict[str, Any]:
    """The claims of a token whose issuer is a key of this kind. Raises BadJwt."""
    try:
        header, body, signature = token.split(".")
        algorithm, claims = json.loads(_decode(header)), json.loads(_decode(body))
        if not isinstance(algorithm, dict) or algorithm.get("alg") != _HEADER["alg"] or not isinstance(claims, dict):
            raise BadJwt("it is of another kind")
        genuine = nkeys.verify(str(claims.get("iss")), kind, f"{header}.{body}".encode(), _decode(signature))
    except BadKey as error:
        raise BadJwt(f"its issuer {error}") from None
    except (ValueError, binascii.Error) as error:
        raise error if isinstance(error, BadJwt) else BadJwt("it is no token") from None
    if not genuine:
        raise BadJwt("its signature is not its issuer's")
    return claims


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
