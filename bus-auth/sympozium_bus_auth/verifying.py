"""Checking a token: the seam behind which another kind of token may stand, and the first kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import jwt

from sympozium_protocol.bus.tokens import ALGORITHM, AUDIENCE, BadClaims, Identity, identity_of
from sympozium_protocol.exits import Ended, Reason

LONGEST: Final = 16 * 1024
"""Characters of a token."""


class Refused(Exception):
    """The token is not accepted. Why is for the log: who presents it is told nothing."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Whom a token names, and until when it is good (seconds since the epoch)."""

    identity: Identity
    expires: int


class Verifier(Protocol):
    """Tells who presents a token."""

    async def verify(self, token: str) -> Verified:
        """Raises Refused."""


class SignedTokens:
    """Tokens that ``sympozium_protocol.bus.tokens.mint`` signed."""

    def __init__(self, key: bytes) -> None:
        """``key``: an Ed25519 public key in PEM."""
        self._key = key

    @classmethod
    def of(cls, path: Path) -> SignedTokens:
        """Raises Ended (MissingKey)."""
        try:
            key = path.read_bytes()
            jwt.get_algorithm_by_name(ALGORITHM).prepare_key(key)
        except OSError as error:
            raise Ended(Reason.MissingKey, f"{path}: {(error.strerror or '').lower()}") from None
        except (ValueError, TypeError, jwt.PyJWTError):
            raise Ended(Reason.MissingKey, f"{path}: holds no Ed25519 public key in PEM") from None
        return cls(key)

    async def verify(self, token: str) -> Verified:
        if not token:
            raise Refused("there is no token")
        if len(token) > LONGEST:
            raise Refused("the token is too long")
        try:
            found = jwt.decode(
                token, self._key, algorithms=[ALGORITHM], audience=AUDIENCE, options={"require": ["exp", "sub", "aud"]}
            )
            return Verified(identity_of(found), int(found["exp"]))
        except jwt.PyJWTError as error:
            raise Refused(f"the token: {str(error).lower()}") from None
        except BadClaims as error:
            raise Refused(f"the token: {error}") from None
