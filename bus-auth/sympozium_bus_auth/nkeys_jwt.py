"""NATS's own tokens: JWTs signed with an nkey, between the server and whoever answers its auth callout.

An nkey is an Ed25519 key in base32 with a prefix that says what it is for, and a CRC-16 (NATS ADR-14). Such a JWT names
``ed25519-nkey`` as its algorithm and the public nkey of its signer as its issuer; no library for Python reads them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any, Final

import nacl.exceptions
import nacl.signing
import nkeys

_HEADER: Final = {"typ": "JWT", "alg": "ed25519-nkey"}
_PUBLIC: Final = 1 + 32 + 2
"""Bytes: prefix, key, checksum."""


class BadJwt(ValueError):
    """A token that is none, or whose signature is not its issuer's."""


def sign(claims: dict[str, Any], pair: nkeys.KeyPair, *, now: float) -> str:
    """``claims`` with issuer, time and id, signed."""
    body = {**claims, "iss": public(pair), "iat": int(now)}
    body["jti"] = base64.b32encode(hashlib.sha256(_json(body)).digest()).decode().rstrip("=")
    text = f"{_encode(_json(_HEADER))}.{_encode(_json(body))}"
    return f"{text}.{_encode(pair.sign(text.encode()))}"


def verify(token: str, prefix: int) -> dict[str, Any]:
    """The claims of a token whose issuer is of the kind ``prefix`` (nkeys.PREFIX_BYTE_…). Raises BadJwt."""
    try:
        header, body, signature = token.split(".")
        claims = json.loads(_decode(body))
        algorithm = json.loads(_decode(header)).get("alg")
        key = _public_key(str(claims.get("iss")), prefix)
        if algorithm != _HEADER["alg"]:
            raise BadJwt("its algorithm is another")
        nacl.signing.VerifyKey(key).verify(f"{header}.{body}".encode(), _decode(signature))
    except nacl.exceptions.BadSignatureError:
        raise BadJwt("its signature is not its issuer's") from None
    except (ValueError, AttributeError, binascii.Error) as error:
        raise error if isinstance(error, BadJwt) else BadJwt("it is no token") from None
    assert isinstance(claims, dict)
    return claims


def public(pair: nkeys.KeyPair) -> str:
    return str(pair.public_key.decode())


def _public_key(text: str, prefix: int) -> bytes:
    raw = base64.b32decode(text + "=" * (-len(text) % 8))
    if len(raw) != _PUBLIC or raw[0] != prefix or nkeys.crc16(raw[:-2]).to_bytes(2, "little") != raw[-2:]:
        raise BadJwt("its issuer is no key of that kind")
    return raw[1:-2]


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
