"""NATS's auth callout: the server asks who a connection is, and gets an answer that it can check (NATS ADR-26)."""

from __future__ import annotations

import dataclasses
import time
from typing import Any, Final

from sympozium_bus_auth.jwts import BadJwt, sign, verify
from sympozium_bus_auth.nkeys import SERVER, KeyPair
from sympozium_bus_auth.permissions import BadName, Permissions, permissions
from sympozium_bus_auth.verifying import Refused, Verified, Verifier

SUBJECT: Final = "$SYS.REQ.USER.AUTH"
_ASKS: Final = "nats-authorization-request"
_UNLIMITED: Final = -1
_ANSWER_WITHIN: Final = int(60e9)
"""Nanoseconds in which a service may answer what it received; a call is taken or turned within seconds."""


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What the server wants to know. ``user`` is the public key that its answer must be for."""

    server: str
    user: str
    name: str
    host: str
    token: str


def read_question(data: bytes) -> Question:
    """Raises BadJwt: it is not from a server, or not a question."""
    claims = verify(data.decode("ascii", "replace"), SERVER)
    asked = claims.get("nats")
    if claims.get("aud") != _ASKS or not isinstance(asked, dict):
        raise BadJwt("it is not an authorization request")
    try:
        options, client = asked["connect_opts"], asked["client_info"]
        question = Question(
            server=asked["server_id"]["id"],
            user=asked["user_nkey"],
            name=options.get("name", ""),
            host=client.get("host", ""),
            token=options.get("auth_token", ""),
        )
    except (KeyError, TypeError, AttributeError):
        raise BadJwt("a field of it is missing") from None
    if question.server != claims["iss"] or not all(isinstance(v, str) for v in dataclasses.astuple(question)):
        raise BadJwt("its signer is not the server that it names")
    return question


async def judge(question: Question, verifier: Verifier) -> tuple[Verified, Permissions]:
    """Who it is and what it may do. Raises Refused."""
    verified = await verifier.verify(question.token)
    try:
        return verified, permissions(verified.identity, question.name)
    except BadName as error:
        raise Refused(str(error)) from None


def admit(question: Question, verified: Verified, may: Permissions, issuer: KeyPair, now: float) -> bytes:
    """The server's answer: this connection is that user, for a while."""
    user = {
        "sub": question.user,
        "aud": may.account,
        "name": verified.identity.principal,
        "exp": min(verified.expires, int(now) + ASKED_AGAIN),
        "nats": {"type": "user", "version": 2, **_limits(may)},
    }
    return _answer(question, {"jwt": sign(user, issuer, now=now)}, issuer)


def refuse(question: Question, issuer: KeyPair) -> bytes:
    """The server's answer: no. Why is not for whoever asked."""
    return _answer(question, {"error": "not admitted"}, issuer)


ASKED_AGAIN: Final = 3600
"""Seconds after which the server ends a connection, which then comes anew: by then its run may have ended."""


def _limits(may: Permissions) -> dict[str, Any]:
    found: dict[str, Any] = {
        "pub": {"allow": list(may.publish)},
        "sub": {"allow": list(may.subscribe)},
        "subs": _UNLIMITED,
        "data": _UNLIMITED,
        "payload": _UNLIMITED,
        "allowed_connection_types": ["STANDARD", "WEBSOCKET"],
    }
    if may.answers:
        found["resp"] = {"max": 1, "ttl": _ANSWER_WITHIN}
    return found


def _answer(question: Question, said: dict[str, Any], issuer: KeyPair) -> bytes:
    claims = {
        "sub": question.user,
        "aud": question.server,
        "nats": {"type": "authorization_response", "version": 2, **said},
    }
    return sign(claims, issuer, now=time.time()).encode()
