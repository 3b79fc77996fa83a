"""The directory of keys: made once, never overwritten, readable by its owner alone."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import nkeys

from sympozium_bus_auth.configuration import PublicKeys
from sympozium_bus_auth.nkeys_jwt import public
from sympozium_protocol.exits import Ended, Reason

TOKEN_KEY: Final = "token.key"  # noqa: S105  a name of a file
"""Signs tokens: for whoever mints them."""
TOKEN_PUBLIC: Final = "token.pub"  # noqa: S105  a name of a file
"""Tells who signed them: for the service."""
SEEDS: Final = {
    "issuer": nkeys.PREFIX_BYTE_ACCOUNT,
    "auth": nkeys.PREFIX_BYTE_USER,
    "keeper": nkeys.PREFIX_BYTE_USER,
    "system": nkeys.PREFIX_BYTE_USER,
}
"""Files NAME.seed: the first signs the service's answers, with the others it comes to the server."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The service's own: no private key of tokens is among them."""

    folder: Path
    issuer: nkeys.KeyPair
    public: PublicKeys

    @classmethod
    def read(cls, folder: Path) -> Keys:
        """Raises Ended (MissingKey)."""
        pairs = {name: _pair(seed_file(folder, name)) for name in SEEDS}
        return cls(folder, pairs["issuer"], PublicKeys(**{name: public(pair) for name, pair in pairs.items()}))


def seed_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.seed"


def make(folder: Path) -> Keys:
    """Make all keys in ``folder``, itself made if need be. Raises Ended (Usage) where one of them is there already."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    texts = {
        TOKEN_KEY: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        TOKEN_PUBLIC: key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    }
    for name, prefix in SEEDS.items():
        texts[f"{name}.seed"] = nkeys.encode_seed(secrets.token_bytes(32), prefix) + b"\n"
    with _writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in texts:
            if (folder / name).exists():
                raise Ended(Reason.Usage, f"{folder / name}: is there already")
        for name, text in texts.items():
            _write(folder / name, text)
    return Keys.read(folder)


def _write(path: Path, text: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Ended(Reason.Usage, f"{error.filename or folder}: {(error.strerror or '').lower()}") from None


def _pair(path: Path) -> nkeys.KeyPair:
    try:
        return nkeys.from_seed(bytearray(path.read_bytes().strip()))
    except OSError as error:
        raise Ended(Reason.MissingKey, f"{path}: {(error.strerror or '').lower()}") from None
    except (ValueError, nkeys.NkeysError):
        raise Ended(Reason.MissingKey, f"{path}: holds no seed of an nkey") from None
