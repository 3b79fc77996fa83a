"""Tokens: what a connection to the bus presents, and as whom it then comes. Their claims and how one is minted.

They are JWTs (RFC 7519) signed with Ed25519 (EdDSA, RFC 8037). Whoever mints holds the private key; the service that
answers the server's question, who somebody is, holds the public one. PyJWT is imported where it is used: who only
presents a token does not need it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages.base import Id, Wire, explain

ALGORITHM: Final = "EdDSA"
AUDIENCE: Final = "sympozium-bus"
"""Of every token: one that was minted for something else is none."""

Namespace: TypeAlias = Annotated[str, Field(pattern=r"^(\*|[a-z0-9][a-z0-9-]{0,62})$")]
"""One namespace, or ``*``: all of them."""
Namespaces: TypeAlias = Annotated[tuple[Namespace, ...], Field(min_length=1, max_length=64)]
PersonVerb: TypeAlias = Literal["answer", "send", "cancel", "get"]


class RunIdentity(Wire):
    """A run's bridge: one run, whole."""

    role: Literal["run"] = "run"
    namespace: Id
    run: Id

    @property
    def principal(self) -> str:
        return subjects.run_principal(RunKey(self.namespace, self.run))


class PersonIdentity(Wire):
    """A person: may do so much with so many runs. ``get`` is to read them."""

    role: Literal["person"] = "person"
    name: str = Field(min_length=1, max_length=180)
    namespaces: Namespaces
    runs: Annotated[tuple[Id, ...], Field(min_length=1, max_length=64)] | Literal["*"] = "*"
    verbs: tuple[PersonVerb, ...] = Field(min_length=1, max_length=4)

    @property
    def principal(self) -> str:
        return subjects.person_principal(self.name)


class ServiceIdentity(Wire):
    """A participant that answers calls from elsewhere, for runs that know it as ``participant``."""

    role: Literal["service"] = "service"
    service: Id
    participant: Id
    namespaces: Namespaces

    @property
    def principal(self) -> str:
        return subjects.service_principal(self.service)


class LauncherIdentity(Wire):
    """Who makes pods: publishes a run's first record, and may do what its bridge may."""

    role: Literal["launcher"] = "launcher"
    name: str = Field(min_length=1, max_length=180)
    namespaces: Namespaces

    @property
    def principal(self) -> str:
        return subjects.launcher_principal(self.name)


class ControllerIdentity(Wire):
    """Who makes the runs of a cluster: reads them, and cancels them in the name of whoever asked it to."""

    role: Literal["controller"] = "controller"
    name: str = Field(min_length=1, max_length=180)
    namespaces: Namespaces

    @property
    def principal(self) -> str:
        return subjects.controller_principal(self.name)


Identity: TypeAlias = Annotated[
    RunIdentity | PersonIdentity | ServiceIdentity | LauncherIdentity | ControllerIdentity, Field(discriminator="role")
]
_identity: TypeAdapter[Identity] = TypeAdapter(Identity)


class BadClaims(ValueError):
    """Claims that name nobody; says which is wrong, and never repeats them."""


def claims(identity: Identity, *, expires: float) -> dict[str, Any]:
    """Pure: what a token says. ``expires``: seconds since the epoch."""
    who = identity.model_dump(mode="json", by_alias=True)
    return {"aud": AUDIENCE, "sub": identity.principal, "exp": int(expires), "sympozium": who}


def identity_of(found: dict[str, Any]) -> Identity:
    """Pure: whom claims name. Raises BadClaims."""
    try:
        identity = _identity.validate_python(found.get("sympozium"), strict=False, by_alias=True, by_name=False)
    except ValidationError as error:
        raise BadClaims(explain(error)) from None
    if found.get("sub") != identity.principal:
        raise BadClaims("sub: is not whom the role names")
    return identity


def mint(identity: Identity, key: Path, *, lasts: float) -> str:
    """A token that is good for ``lasts`` seconds. ``key``: a file with an Ed25519 private key (PKCS #8, PEM).

    Raises Ended (MissingKey) when there is no such key in it.
    """
    import jwt

    try:
        return jwt.encode(claims(identity, expires=time.time() + lasts), key.read_bytes(), algorithm=ALGORITHM)
    except OSError as error:
        raise Ended(Reason.MissingKey, f"{key}: {(error.strerror or '').lower()}") from None
    except (ValueError, TypeError, AttributeError, jwt.PyJWTError):  # of a public key it asks what that cannot do
        raise Ended(Reason.MissingKey, f"{key}: holds no Ed25519 private key in PEM") from None
