"""NATS's keys (nkeys): Ed25519 in base32, with a prefix that says what a key is for and a CRC-16 (NATS ADR-14).

A public key is ``prefix(1) key(32) crc(2)``; a seed begins with two bytes in which the prefix of seeds and that of the
key share their bits, five and eight. The package of this name is published as source alone, and reads no public keys.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ACCOUNT: Final = 0
USER: Final = 20 << 3
SERVER: Final = 13 << 3
_SEED: Final = 18 << 3
_KEY: Final = 32


class BadKey(ValueError):
    """Text that is no key of the kind."""


@dataclass(frozen=True)
class KeyPair:
    """A key of one kind. ``seed`` is its secret."""

    kind: int
    seed: bytes

    @classmethod
    def new(cls, kind: int) -> Self:
        return cls(kind, secrets.token_bytes(_KEY))

    @classmethod
    def read(cls, text: str, kind: int) -> Self:
        """Of a seed as text. Raises BadKey."""
        raw = _unpack(text, 2)
        if (raw[0] & 0xF8, (raw[0] & 7) << 5 | raw[1] >> 3) != (_SEED, kind):
            raise BadKey("is the seed of another kind of key")
        return cls(kind, raw[2:])

    @property
    def public(self) -> str:
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return _pack(bytes([self.kind]) + raw)

    @property
    def text(self) -> str:
        """The seed, to be kept."""
        return _pack(bytes([_SEED | self.kind >> 5, (self.kind & 31) << 3]) + self.seed)

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)

    @property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def verify(public: str, kind: int, data: bytes, signature: bytes) -> bool:
    """Did the owner of this public key sign the data? Raises BadKey."""
    raw = _unpack(public, 1)
    if raw[0] != kind:
        raise BadKey("is another kind of key")
    try:
        Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signature, data)
        return True
    except InvalidSignature:
        return False


def _pack(raw: bytes) -> str:
    return base64.b32encode(raw + _crc(raw)).decode().rstrip("=")


def _unpack(text: str, prefix: int) -> bytes:
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        raise BadKey("is no key") from None
    if len(raw) != prefix + _KEY + 2 or _crc(raw[:-2]) != raw[-2:]:
        raise BadKey("is no key")
    return raw[:-2]


def _crc(data: bytes) -> bytes:
    """CRC-16/XMODEM, the lower byte first."""
    return binascii.crc_hqx(data, 0).to_bytes(2, "little")
