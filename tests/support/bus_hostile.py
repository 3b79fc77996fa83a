"""A hostile client with one run's credential, and another run to be its victim, on a server that asks for tokens."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest
from nats.aio.client import Client

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.link import Link, Message
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.bus.tokens import Identity, RunIdentity
from sympozium_protocol.bus.writer import append
from tests.support.bus_auth import GuardedBus, guarded_bus

MALLORY = RunIdentity(namespace="default", run="mallory")

M = RunKey("default", "mallory")

FORGED = b"forged"

_numbers = count(1)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def bus(nats_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedBus]:
    with guarded_bus(tmp_path_factory.mktemp("bus"), "--connections", "200") as found:
        yield found


class Raw:
    """A connection without any of our code in between. ``refused`` has what the server would not do."""

    def __init__(self, client: Client, reader: str) -> None:
        self.client = client
        self.reader = reader
        self.refused: list[str] = []
        self.heard: list[tuple[str, bytes]] = []

    async def said(self, error: Exception) -> None:
        self.refused.append(str(error).lower())

    async def hear(self, message: Any) -> None:
        self.heard.append((message.subject, message.data))

    async def settled(self) -> None:
        """What was sent has been answered, if it was to be refused. Twice: the library pings ahead of what waits."""
        await self.client.flush()
        await self.client.flush()

    async def publish(self, subject: str, data: bytes = FORGED, reply: str = "", **headers: str) -> bool:
        """Did the server take it?"""
        before = len(self.refused)
        await self.client.publish(subject, data, reply, headers=headers or None)
        await self.settled()
        return not any("permissions violation for publish" in words for words in self.refused[before:])

    async def subscribe(self, subject: str, queue: str = "") -> bool:
        """Did the server take it?"""
        before = len(self.refused)
        await self.client.subscribe(subject, queue, cb=self.hear)
        await self.settled()
        return not any("permissions violation for subscription" in words for words in self.refused[before:])


@asynccontextmanager
async def raw(bus: GuardedBus, identity: Identity, nonce: str = "") -> AsyncIterator[Raw]:
    nonce = nonce or secrets.token_hex(8)
    client = Client()
    found = Raw(client, subjects.reader_name(identity.principal, nonce))
    prefix = subjects.inbox(found.reader)
    token = bus.token(identity)
    await client.connect(
        bus.server.url, name=nonce, token=token, inbox_prefix=prefix, allow_reconnect=False, error_cb=found.said
    )
    try:
        yield found
    finally:
        await client.close()


class Victim:
    """Another run with its bridge, a service at work, and an operator who looks at what is so."""

    def __init__(self, bridge: Link, operator: Link, run: RunKey) -> None:
        self.bridge = bridge
        self.operator = operator
        self.run = run
        self.heard: list[Message] = []
        self.served: list[Message] = []

    async def hear(self, message: Message) -> None:
        self.heard.append(message)

    async def serve(self, message: Message) -> None:
        self.served.append(message)

    async def ask(self, subject: str, data: bytes = b"") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.operator.request(f"$JS.API.{subject}", data))
        return found

    async def messages(self) -> dict[str, int]:
        """How many there are on each subject."""
        state = (await self.ask("STREAM.INFO.SYMPOZIUM", b'{"subjects_filter":">"}'))["state"]
        return dict(state["subjects"])

    async def forged(self) -> dict[str, int]:
        """What is in the stream beyond the victim's two records and what Mallory may write."""
        found = await self.messages()
        assert found.pop(subjects.records(self.run)) == 2
        found.pop(subjects.records(M), None)
        return {subject: n for subject, n in found.items() if f".{self.run}." in subject or f".{M}." in subject}


@pytest.fixture
async def victim(bus: GuardedBus) -> AsyncIterator[Victim]:
    run = RunIdentity(namespace="default", run=f"victim-{next(_numbers)}")
    key = RunKey("default", run.run)
    bridge, operator = await bus.connect(run), await bus.trusted()
    found = Victim(bridge, operator, key)
    await append(bridge, subjects.records(key), b"its RunSpec", last=0)
    first = await bridge.request(subjects.records(key), b"its secret")
    assert json.loads(first)["seq"]
    for subject in (subjects.live(key), subjects.present(key)):
        await bridge.subscribe(subject, found.hear)
    for subject in ("sympozium.call.>", "sympozium.withdrawn.>", "sympozium.manifest.*"):
        await operator.subscribe(subject, found.serve)
    await bridge.settled()
    await operator.settled()
    yield found
    await bridge.close()
    await operator.close()


def api_subjects(other: str, own: str, run: str) -> tuple[str, ...]:
    """What JetStream can be asked."""
    consumers = ("CREATE", "INFO", "DELETE", "PAUSE", "RESET", "UNPIN", "LEADER.STEPDOWN")
    streams = ("INFO", "PURGE", "DELETE", "UPDATE", "MSG.GET", "MSG.DELETE", "SNAPSHOT", "RESTORE", "LEADER.STEPDOWN")
    return (
        "INFO",
        *("STREAM.NAMES", "STREAM.LIST", "CONSUMER.NAMES.SYMPOZIUM", "CONSUMER.LIST.SYMPOZIUM"),
        *("STREAM.CREATE.KV_x", "STREAM.CREATE.MINE", "ACCOUNT.PURGE.BUS", "META.LEADER.STEPDOWN"),
        *(f"STREAM.{what}.SYMPOZIUM" for what in streams),
        *(f"CONSUMER.{what}.SYMPOZIUM.{name}" for what in consumers for name in (other, own)),
        *(f"CONSUMER.CREATE.SYMPOZIUM.{own}.sympozium.run.{run}.>", "CONSUMER.CREATE.SYMPOZIUM"),
        *(f"CONSUMER.DURABLE.CREATE.SYMPOZIUM.{own}", f"CONSUMER.MSG.NEXT.SYMPOZIUM.{own}x"),
        *("DIRECT.GET.SYMPOZIUM", f"DIRECT.GET.SYMPOZIUM.sympozium.run.{run}.records"),
    )


def inner_places(run: RunKey, reader: str) -> tuple[str, ...]:
    """Where a hostile client would have the server publish for it."""
    return (
        *(subjects.records(run), subjects.elsewhere(run, "memory", "1-1"), subjects.elsewhere(M, "memory", "1-1")),
        *(subjects.said(at, "answer", "ada") for at in (run, M)),
        *(subjects.call("memory", at, "memory") for at in (run, M)),
        *(subjects.withdrawn("memory", run, "memory", "1-1"), subjects.manifest("memory")),
        *(subjects.reader(run, reader), subjects.next_message(reader)),
        *("$JS.API.STREAM.PURGE.SYMPOZIUM", f"$JS.API.CONSUMER.DELETE.SYMPOZIUM.{reader}", "$JS.API.INFO"),
        *("$SYS.REQ.USER.AUTH", "$JS.ACK.SYMPOZIUM.x.1.1.1.1.0", "_R_.x", subjects.present(run)),
    )
