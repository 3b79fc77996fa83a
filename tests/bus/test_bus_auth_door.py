"""Who comes in at the door of the bus: nobody without a good token, nobody under another name."""

from __future__ import annotations

import base64
import hmac
import json
import time
from pathlib import Path
from typing import Any

import jwt
import nats.errors
import nats.js.errors
import pytest
from nats.aio.client import Client

from sympozium_bus_auth.keys import make
from sympozium_protocol.bus import tokens
from sympozium_protocol.bus.link import connect
from sympozium_protocol.bus.tokens import RunIdentity
from sympozium_protocol.exits import Ended, Reason
from tests.support.bus_auth import GuardedBus, guarded_bus
from tests.support.bus_hostile import MALLORY, anyio_backend, bus

__all__ = ["anyio_backend", "bus"]

pytestmark = pytest.mark.anyio


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unsigned(claims: dict[str, Any], algorithm: str = "none") -> str:
    return ".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": algorithm, "typ": "JWT"}, claims)) + "."


def _hmac(claims: dict[str, Any], secret: bytes) -> str:
    """Signed with what is public, in the hope that it is taken for a shared secret."""
    text = _unsigned(claims, "HS256")
    return text + _encoded(hmac.digest(secret, text.removesuffix(".").encode(), "sha256"))


async def refused(bus: GuardedBus, token: str) -> str:
    """The service's words in its log."""
    before = len(bus.lines())
    with pytest.raises(Ended) as ended:
        await connect(bus.settings(token), principal=MALLORY.principal)
    assert ended.value.reason is Reason.BusRefused
    return "\n".join(line for line in bus.lines()[before:] if "refused" in line)


async def test_no_token_but_a_good_one_opens_the_door(bus: GuardedBus, tmp_path: Path) -> None:
    make(tmp_path / "keys")
    key = (bus.folder / "keys/token.key").read_bytes()
    good = tokens.claims(MALLORY, expires=time.time() + 60)

    def signed(**changes: Any) -> str:
        return jwt.encode({k: v for k, v in {**good, **changes}.items() if v is not None}, key, algorithm="EdDSA")

    person = {"role": "person", "name": "ada", "namespaces": ["default"], "verbs": ["everything"]}
    for token, why in (
        (bus.token(MALLORY, lasts=-60), "expired"),
        (bus.token(MALLORY, key=tmp_path / "keys/token.key"), "signature verification failed"),
        (_unsigned(good), "the token"),
        (_hmac(good, (bus.folder / "keys/token.pub").read_bytes()), "the token"),
        ("", "there is no token"),
        ("not.a.token", "the token"),
        (signed(aud="another"), "audience"),
        (signed(exp=None), "exp"),
        (signed(aud=None), "aud"),
        (signed(sub="run:default.other"), "sub: is not whom"),
        (signed(sub=None), "sub"),
        (signed(sympozium=None), "the token"),
        (signed(sympozium={"role": "run", "namespace": "*", "run": "*"}), "namespace"),
        (signed(sympozium={"role": "run", "namespace": "default", "run": "a.>"}), "run"),
        (signed(sympozium={"role": "operator"}), "the token"),
        (signed(sub="person:ada", sympozium=person), "verbs"),
    ):
        found = await refused(bus, token)
        assert why in found, found
        assert not token or token not in found
    assert signed()
    link = await connect(bus.settings(signed()), principal=MALLORY.principal)
    await link.close()


async def test_a_connection_that_calls_itself_something_else_is_refused(bus: GuardedBus) -> None:
    for name in ("", "x", "0" * 15, "0" * 17, "G" * 16, "*", ">", "0000000000000000\n", "0123456789ABCDEF"):
        client = Client()
        with pytest.raises((nats.errors.Error, TimeoutError)):
            await client.connect(
                bus.server.url, name=name, token=bus.token(MALLORY), allow_reconnect=False, connect_timeout=5
            )
        await client.close()


async def test_nobody_comes_in_as_a_user_of_the_service_itself(bus: GuardedBus) -> None:
    for user in ("auth", "keeper", "system", bus.keys.public.keeper):
        client = Client()
        with pytest.raises((nats.errors.Error, TimeoutError)):
            await client.connect(bus.server.url, user=user, password="x", name="0" * 16, allow_reconnect=False)
        await client.close()


async def test_a_run_has_so_many_connections_and_no_more(
    nats_binary: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with guarded_bus(tmp_path_factory.mktemp("few"), "--connections", "3") as bus:
        links = [await bus.connect(MALLORY) for _ in range(3)]
        with pytest.raises(Ended):
            await bus.connect(MALLORY)
        other = await bus.connect(RunIdentity(namespace="default", run="other"))
        await links.pop().close()
        again = await bus.connect(MALLORY)
        for link in (*links, other, again):
            await link.close()
