"""The directory of keys: made once, never overwritten, readable by its owner alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sympozium_bus_auth.configuration import PublicKeys
from sympozium_bus_auth.nkeys import ACCOUNT, USER, BadKey, KeyPair
from sympozium_protocol.exits import Ended, Reason

TOKEN_KEY: Final = "token.key"  # noqa: S105  a name of a file
"""Signs tokens: for whoever mints them."""
TOKEN_PUBLIC: Final = "token.pub"  # noqa: S105  a name of a file
"""Tells who signed them: for the service."""
SEEDS: Final = {
    "issuer": ACCOUNT,
    "auth": USER,
    "keeper": USER,
    "system": USER,
}
"""Files NAME.seed: the first signs the service's answers, with the others it comes to the server."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The service's own: no private key of tokens is among them."""

    pairs: dict[str, KeyPair]

    @classmethod
    def read(cls, folder: Path) -> Keys:
        """Raises Ended (MissingKey)."""
        return cls({name: _pair(folder / f"{name}.seed", kind) for name, kind in SEEDS.items()})

    @property
    def issuer(self) -> KeyPair:
        return self.pairs["issuer"]

    @property
    def public(self) -> PublicKeys:
        return PublicKeys(**{name: pair.public for name, pair in self.pairs.items()})


def make(folder: Path) -> Keys:
    """Make all keys in ``folder``, itself made if need be; where all are there already, these.

    Raises Ended (Usage) where some of them are.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    texts = {
        TOKEN_KEY: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        TOKEN_PUBLIC: key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    }
    for name, kind in SEEDS.items():
        texts[f"{name}.seed"] = f"{KeyPair.new(kind).text}\n".encode()
    with _writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        there = [name for name in texts if (folder / name).exists()]
        if len(there) == len(texts):
            return Keys.read(folder)
        if there:
            raise Ended(Reason.Usage, f"{folder / there[0]}: is there already, and others are not")
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


def _pair(path: Path, kind: int) -> KeyPair:
    try:
        return KeyPair.read(path.read_text(encoding="ascii").strip(), kind)
    except OSError as error:
        raise Ended(Reason.MissingKey, f"{path}: {(error.strerror or '').lower()}") from None
    except BadKey as error:
        raise Ended(Reason.MissingKey, f"{path}: {error}") from None
    except UnicodeDecodeError:
        raise Ended(Reason.MissingKey, f"{path}: is no key") from None
