"""Who a person is, where the cluster knows them by a certificate and there is no token to show to anybody else.

The person creates a CertificateSigningRequest for a signer that does not exist. The API server writes into it who
asked, as it does for each (``spec.username``, ``uid``, ``groups``, ``extra``), and nobody can change that. Its name is
the digest of a secret, so who shows the secret is who asked; to others who can read requests the name says nothing.
No certificate is wanted, and none is issued: the key of the request is nobody's (docs/adr/0018).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
from hashlib import sha256
from typing import Final

from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import KubeError
from sympozium_protocol.kube.resources import SIGNING_REQUESTS

PREFIX: Final = "csr."
"""What is shown begins so: no JWT does."""
SIGNER: Final = "sympozium.ai/bus"
LASTS: Final = 12 * 3600
"""Seconds for which a request that nobody took back is good. Kubernetes removes it after a day."""
_BYTES: Final = 32
_REQUEST: Final = b"""\
-----BEGIN CERTIFICATE REQUEST-----
MIGQMEQCAQAwETEPMA0GA1UEAwwGbm9ib2R5MCowBQYDK2VwAyEAguQT5TuMtwo9
NqOXZ2Jlv8QJW6g6TZg6YSoawt5vhYKgADAFBgMrZXADQQB90CjTcL8ohe1hUOVA
Oe+fjjqK4UQfxrNgMw5gfz61tGCFw5gdSkj0Vd5f4unwLc+r7MFlbZIhPml/qX+X
ibgP
-----END CERTIFICATE REQUEST-----
"""
"""There has to be one. Its private key was thrown away."""


def new_secret() -> str:
    """What to show, to nobody but the bus."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


def name_of(secret: str) -> str:
    """Of the request that belongs to it."""
    return f"sympozium-{sha256(secret.encode()).hexdigest()}"


def request_of(secret: str) -> KubeObject:
    """The object to create."""
    return {
        "apiVersion": SIGNING_REQUESTS.api_version,
        "kind": SIGNING_REQUESTS.kind,
        "metadata": {"name": name_of(secret)},
        "spec": {
            "request": base64.b64encode(_REQUEST).decode(),
            "signerName": SIGNER,
            "usages": ["client auth"],
        },
    }


async def attest(api: Client) -> str:
    """Ask as whom the API server knows us; what to show. Raises KubeError (Forbidden: not everybody may ask)."""
    secret = new_secret()
    asking = asyncio.ensure_future(api.create(SIGNING_REQUESTS, request_of(secret)))
    try:
        await asyncio.shield(asking)
    except asyncio.CancelledError:  # nobody learns the secret, but the request may have been made
        await asyncio.wait([asking])
        if asking.exception() is None:
            with contextlib.suppress(KubeError):
                await take_back(api, secret)
        raise
    return secret


async def take_back(api: Client, secret: str) -> None:
    """Nobody is shown by it any longer. Raises KubeError."""
    await api.delete(SIGNING_REQUESTS, name_of(secret))
