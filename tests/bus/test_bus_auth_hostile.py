"""A hostile client with one run's credential: what it tries is refused, or without effect on what is in the stream."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import jwt
import nats.errors
import nats.js.errors
import pytest
from nats.aio.client import Client

from sympozium_bus_auth.keys import make
from sympozium_protocol.bus import subjects, tokens
from sympozium_protocol.bus.link import Link, Message, connect
from sympozium_protocol.bus.reader import open_reader
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.bus.tokens import Identity, PersonIdentity, RunIdentity, ServiceIdentity
from sympozium_protocol.bus.writer import append
from sympozium_protocol.exits import Ended, Reason
from tests.support.bus_auth import GuardedBus, guarded_bus

pytestmark = pytest.mark.anyio
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


async def test_it_hears_nothing_of_another_run_nor_of_the_server(bus: GuardedBus, victim: Victim) -> None:
    run, theirs = victim.run, subjects.inbox(victim.bridge.reader)
    async with raw(bus, MALLORY) as mallory:
        wanted = (
            *(subjects.everything(run), subjects.live(run), subjects.present(run), subjects.records(run)),
            *(">", "*", "*.>", "sympozium.>", "sympozium.run.>", "sympozium.live.>", "sympozium.live.*.*.status"),
            *("_INBOX.>", f"{theirs}.>", f"{theirs.rpartition('.')[0]}.*.>", "_R_.>", "_INBOX.*.*.r.*"),
            *("$JS.>", "$JS.API.>", "$JS.EVENT.>", "$JS.ACK.>", "$KV.>", "$O.>", "$SYS.>", "$SYS.REQ.USER.AUTH"),
            *("sympozium.call.>", "sympozium.withdrawn.>", "sympozium.manifest.*", "sympozium.reader.>"),
            *(subjects.everything(M), subjects.records(M), subjects.calls("memory")),
        )
        taken = [subject for subject in wanted if await mallory.subscribe(subject)]
        taken += [subject for subject in wanted if await mallory.subscribe(subject, "bus-auth")]
        assert taken == []
        await victim.bridge.publish(subjects.status(run), b"a status")
        await victim.bridge.settled()
        await mallory.settled()
        assert mallory.heard == []


async def test_it_publishes_nothing_that_is_not_its_own(bus: GuardedBus, victim: Victim) -> None:
    run = victim.run
    other = victim.bridge.reader
    async with raw(bus, MALLORY) as mallory:
        wanted = (
            *(subjects.records(run), subjects.elsewhere(run, "memory", "1-1"), subjects.elsewhere(M, "memory", "1-1")),
            *(subjects.said(at, verb, "ada") for at in (run, M) for verb in subjects.VERBS),
            *(f"sympozium.run.{M}", f"sympozium.run.{M}.records.more", f"sympozium.run.{M}.other"),
            *(subjects.call("memory", run, "memory"), subjects.withdrawn("memory", run, "memory", "1-1")),
            *(subjects.status(run), subjects.progress(run, "p", "1-1"), subjects.working(run, "p", "1-1")),
            *(subjects.working(M, "memory", "1-1"), subjects.present(run)),
            *(subjects.reader(run, mallory.reader), subjects.reader(run, other), subjects.reader(M, other)),
            *(subjects.next_message(other), subjects.inbox(other) + ".r.1", subjects.inbox(other) + ".n.1"),
            *(f"_INBOX.{place}" for place in ("a.b.r.1", "a.b.n.c", "a.b.p", "a.b.p.1.2")),
            *("$SYS.REQ.USER.AUTH", "$SYS.REQ.USER.INFO", "$SYS.REQ.ACCOUNT.PING.CONNZ", "$SYS.REQ.SERVER.PING"),
            *("_R_.abc", "$JS.ACK.SYMPOZIUM.x.1.1.1.1.0", "$JS.FC.SYMPOZIUM.x.y", "$KV.SYMPOZIUM.x", "anything"),
            *(f"$JS.API.{what}" for what in _api(other, mallory.reader, str(run))),
        )
        taken = [
            subject
            for subject in wanted
            if await mallory.publish(subject, b"{}", f"{subjects.inbox(mallory.reader)}.x")
        ]
        assert taken == []
        assert await mallory.publish(subjects.records(M))
    assert await victim.forged() == {}
    assert (victim.heard, victim.served) == ([], [])


def _api(other: str, own: str, run: str) -> tuple[str, ...]:
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


async def test_the_jetstream_client_of_the_library_gets_nowhere(bus: GuardedBus, victim: Victim) -> None:
    async with raw(bus, MALLORY) as mallory:
        js = mallory.client.jetstream(timeout=0.3)
        for attempt in (
            js.stream_info("SYMPOZIUM"),
            js.purge_stream("SYMPOZIUM"),
            js.delete_stream("SYMPOZIUM"),
            js.get_msg("SYMPOZIUM", 1),
            js.get_last_msg("SYMPOZIUM", subjects.records(victim.run), direct=True),
            js.create_key_value(bucket="SYMPOZIUM"),
            js.pull_subscribe(subjects.everything(victim.run), durable="x", stream="SYMPOZIUM"),
            js.publish(subjects.records(victim.run), FORGED),
        ):
            with pytest.raises((nats.errors.Error, nats.js.errors.Error, TimeoutError)):
                await attempt
        assert len([words for words in mallory.refused if "permissions violation" in words]) >= 8
    assert await victim.forged() == {}


def _places(run: RunKey, reader: str) -> tuple[str, ...]:
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


async def test_no_reply_subject_makes_the_server_publish_for_it(bus: GuardedBus, victim: Victim) -> None:
    """By an acknowledgement, by a message of its own that a reader hands out, and by the answer to a request."""
    async with raw(bus, MALLORY) as mallory:
        own = subjects.inbox(mallory.reader)
        assert await mallory.subscribe(f"{own}.>")
        for place in _places(victim.run, victim.bridge.reader):
            victim.served.clear()
            taken = await mallory.publish(subjects.records(M), FORGED, place)  # an acknowledgement
            assert taken != place.startswith(("_R_.", "$JS.ACK.")), place
            opened = await mallory.client.request(subjects.reader(M, mallory.reader), b'{"kind":"Open"}', timeout=30)
            assert json.loads(opened.data)["pending"]
            ask = json.dumps({"batch": 1, "no_wait": True}).encode()
            await mallory.publish(subjects.next_message(mallory.reader), ask, place)  # a message of its own
            await mallory.publish(subjects.reader(M, mallory.reader), b'{"kind":"Open"}', place)  # an answer
            await mallory.publish(subjects.reader(M, mallory.reader), FORGED, place)  # a refusal
            # one answer after all these: whatever they led to has been said
            await mallory.client.request(subjects.reader(M, mallory.reader), b'{"kind":"Open"}', timeout=30)
            await victim.operator.settled()
            assert [(m.subject, bytes(m.data)) for m in victim.served] == [], place
            assert await victim.forged() == {}, place
    state = (await victim.ask("STREAM.INFO.SYMPOZIUM"))["state"]
    assert state["first_seq"] == 1
    reader = await open_reader(victim.bridge, victim.run)
    assert [(await reader.next()).data for _ in range(2)] == [b"its RunSpec", b"its secret"]
    assert reader.pending == 0


async def test_all_it_brings_to_the_ears_of_another_run_are_words_of_the_servers_or_its_own_name(
    bus: GuardedBus, victim: Victim
) -> None:
    """What a run listens to in its account is reached by a reply: not with a subject and words of one's own at once."""
    run = victim.run
    ask = json.dumps({"batch": 1, "no_wait": True}).encode()
    async with raw(bus, MALLORY) as mallory:
        for place in (subjects.working(run, "memory", "1-1"), subjects.status(run), subjects.present(run)):
            await mallory.publish(subjects.records(M), FORGED, place)
            await mallory.client.request(subjects.reader(M, mallory.reader), b'{"kind":"Open"}', timeout=30)
            await mallory.publish(subjects.next_message(mallory.reader), ask, place)
            await mallory.publish(subjects.reader(M, mallory.reader), b'{"kind":"Open"}', place)
            await mallory.client.request(subjects.reader(M, mallory.reader), b'{"kind":"Open"}', timeout=30)
    await victim.bridge.settled()
    assert victim.heard, "if nothing arrives any more, docs/bus.md may say so"
    for message in victim.heard:
        ours = message.subject.startswith((f"sympozium.live.{run}.", f"sympozium.present.{run}"))
        assert not (ours and bytes(message.data) == FORGED)
        if ours:
            assert not message.data or {"stream", "kind"} & set(json.loads(message.data))


async def test_it_may_not_answer_where_it_asked_itself_to(bus: GuardedBus, victim: Victim) -> None:
    async with raw(bus, MALLORY) as mallory:
        assert await mallory.subscribe(subjects.present(M))
        for place in (subjects.records(victim.run), subjects.said(M, "answer", "ada")):
            assert await mallory.publish(subjects.present(M), b"", place)
            assert not await mallory.publish(place)
        assert len(mallory.heard) == 2
    assert await victim.forged() == {}


async def test_headers_lead_nowhere(bus: GuardedBus, victim: Victim) -> None:
    place = subjects.records(victim.run)
    async with raw(bus, MALLORY) as mallory:
        inbox = f"{subjects.inbox(mallory.reader)}.x"
        for headers in (
            {"Nats-Trace-Dest": place},
            {"Nats-Trace-Dest": subjects.said(M, "answer", "ada")},
            {"Nats-Rollup": "all"},
            {"Nats-Rollup": "sub"},
            {"Nats-Schedule": "@every 1s", "Nats-Schedule-Target": place},
            {"Nats-Schedule": "@at 2020-01-01T00:00:00Z", "Nats-Schedule-Target": subjects.said(M, "answer", "ada")},
            {"Nats-Batch-Id": "x", "Nats-Batch-Sequence": "1", "Nats-Batch-Commit": "1"},
            {"Nats-Request-Info": json.dumps({"acc": "BUS", "svc": "BUS", "reply": place})},
            {"Nats-Subject": place, "Nats-Stream": "SYMPOZIUM"},
            {"Nats-Stream-Source": f"SYMPOZIUM 1 {place} {place} {place}"},
        ):
            with contextlib.suppress(nats.errors.Error):
                await mallory.client.publish(subjects.records(M), FORGED, inbox, headers=headers)
                await mallory.settled()
            await victim.operator.settled()
            assert await victim.forged() == {}, headers
            if mallory.client.is_closed:
                break
    reader = await open_reader(victim.bridge, victim.run)
    assert [(await reader.next()).data for _ in range(2)] == [b"its RunSpec", b"its secret"]


async def test_a_reader_that_it_was_given_has_its_own_run_only(bus: GuardedBus, victim: Victim) -> None:
    async with raw(bus, MALLORY) as mallory:
        await mallory.publish(subjects.records(M), b"mine")
        opened = await mallory.client.request(subjects.reader(M, mallory.reader), b'{"kind":"Open"}', timeout=30)
        inbox = f"{subjects.inbox(mallory.reader)}.mine"
        await mallory.subscribe(inbox)
        ask = json.dumps({"batch": 1000, "no_wait": True}).encode()
        await mallory.publish(subjects.next_message(mallory.reader), ask, inbox)
        async with asyncio.timeout(30):
            while len(mallory.heard) < json.loads(opened.data)["pending"]:
                await mallory.client.flush()
        assert {subject for subject, _ in mallory.heard if subject != inbox} == {subjects.records(M)}


# -- coming in --------------------------------------------------------------------------------------------------------


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


# -- others than runs -------------------------------------------------------------------------------------------------


async def test_a_person_says_only_what_the_token_names_and_under_the_own_name(bus: GuardedBus, victim: Victim) -> None:
    run, other = victim.run, M

    async def may(verbs: tuple[tokens.PersonVerb, ...]) -> list[str]:
        person = PersonIdentity(name="ada", namespaces=("default",), runs=(run.run,), verbs=verbs)
        wanted = [
            subjects.said(at, verb, name) for at in (run, other) for verb in subjects.VERBS for name in ("ada", "bob")
        ]
        wanted += [subjects.records(run), subjects.status(run), subjects.call("s", run, "p"), subjects.present(run)]
        async with raw(bus, person) as ada:
            wanted += [subjects.reader(run, ada.reader), subjects.reader(other, ada.reader)]
            found = [subject for subject in wanted if await ada.publish(subject, b"{}")]
            found += ["live"] if await ada.subscribe(subjects.live(run)) else []
            assert not await ada.subscribe(subjects.live(other))
            return [subject.replace(ada.reader, "READER") for subject in found]

    reading = [subjects.reader(run, "READER"), "live"]
    assert await may(("get",)) == reading
    assert await may(("answer",)) == [subjects.said(run, "answer", "ada")]
    assert await may(("send", "cancel")) == [subjects.said(run, "send", "ada"), subjects.said(run, "cancel", "ada")]
    assert await may(("answer", "get")) == [subjects.said(run, "answer", "ada"), *reading]


async def test_a_service_speaks_for_its_participant_in_its_namespaces_only(bus: GuardedBus, victim: Victim) -> None:
    identity = ServiceIdentity(service="memory", participant="notes", namespaces=("default",))
    run, foreign = victim.run, RunKey("elsewhere", "x")
    async with raw(bus, identity) as service:
        wanted = (
            *(subjects.elsewhere(at, name, "1-1") for at in (run, foreign) for name in ("notes", "model")),
            *(subjects.working(at, name, "1-1") for at in (run, foreign) for name in ("notes", "model")),
            *(subjects.records(run), subjects.said(run, "answer", "ada"), subjects.call("memory", run, "notes")),
            *(subjects.reader(run, victim.bridge.reader), subjects.reader(foreign, service.reader), "_R_.x"),
            *(f"$JS.API.{what}" for what in _api(victim.bridge.reader, service.reader, str(run))),
        )
        taken = [subject for subject in wanted if await service.publish(subject, b"{}")]
        assert taken == [subjects.elsewhere(run, "notes", "1-1"), subjects.working(run, "notes", "1-1")]
        heard = (subjects.everything(run), "sympozium.call.>", subjects.calls("model"), "_R_.>", "$SYS.REQ.USER.AUTH")
        assert not any([await service.subscribe(subject) for subject in heard])
        assert await service.subscribe(subjects.calls("memory"), "memory")


async def test_a_service_has_the_keeper_answer_nowhere_but_in_its_own_inbox(bus: GuardedBus, victim: Victim) -> None:
    identity = ServiceIdentity(service="memory", participant="notes", namespaces=("default",))
    async with raw(bus, identity) as service:
        subject, own = subjects.reader(victim.run, service.reader), subjects.inbox(service.reader)
        for place in (
            *_places(victim.run, victim.bridge.reader),
            f"{own}",
            f"{subjects.inbox(victim.bridge.reader)}.r.1",
        ):
            await service.publish(subject, b'{"kind":"Open"}', place)
        answer = await service.client.request(subject, b'{"kind":"Open"}', timeout=30)
        assert json.loads(answer.data)["pending"] == 2
        await victim.operator.settled()
    assert await victim.forged() == {}
    assert (victim.heard, victim.served) == ([], [])


async def test_a_service_has_the_server_write_nothing_into_the_stream_for_it(bus: GuardedBus, victim: Victim) -> None:
    """It is in the stream's own account: an acknowledgement, or a message of its own that it has a reader hand out."""
    identity = ServiceIdentity(service="memory", participant="notes", namespaces=("default",))
    own = subjects.elsewhere(victim.run, "notes", "1-1")
    ask = json.dumps({"batch": 10, "no_wait": True}).encode()
    async with raw(bus, identity) as service:
        subject = subjects.reader(victim.run, service.reader)
        for place in (subjects.records(victim.run), subjects.said(victim.run, "answer", "ada")):
            await service.publish(own, FORGED, place)
            await service.client.request(subject, b'{"kind":"Open"}', timeout=30)
            await service.publish(subjects.next_message(service.reader), ask, place)
            await service.client.request(subject, b'{"kind":"Open"}', timeout=30)
        await victim.operator.settled()
    assert await victim.forged() == {own: 2}


async def test_all_that_a_service_brings_to_the_ears_of_another_are_words_of_the_servers_or_its_own_name(
    bus: GuardedBus, victim: Victim
) -> None:
    own = subjects.elsewhere(victim.run, "notes", "2-1")
    place = subjects.call("other", victim.run, "other")
    ask = json.dumps({"batch": 10, "no_wait": True}).encode()
    other = ServiceIdentity(service="other", participant="other", namespaces=("default",))
    hostile = ServiceIdentity(service="memory", participant="notes", namespaces=("default",))
    async with raw(bus, other) as listening, raw(bus, hostile) as service:
        assert await listening.subscribe(subjects.calls("other"), "other")
        subject = subjects.reader(victim.run, service.reader)
        await service.publish(own, FORGED, place)
        await service.client.request(subject, b'{"kind":"Open"}', timeout=30)
        await service.publish(subjects.next_message(service.reader), ask, place)
        await service.publish(subject, b'{"kind":"Open"}', place)
        await service.client.request(subject, b'{"kind":"Open"}', timeout=30)
        await listening.settled()
        assert listening.heard, "if nothing arrives any more, docs/bus.md may say so"
        for found, data in listening.heard:
            stored = found.startswith("sympozium.run.")  # under the subject that it has in the stream
            assert stored or not data or {"stream", "kind"} & set(json.loads(data)), (found, data)


async def test_what_a_run_can_learn_of_another_is_where_its_last_message_stands(
    bus: GuardedBus, victim: Victim
) -> None:
    """Not refused by any setting of the server, and nothing more than a number: docs/bus.md says so."""
    expects = {
        "Nats-Expected-Last-Subject-Sequence": "999999999",
        "Nats-Expected-Last-Subject-Sequence-Subject": subjects.records(victim.run),
    }
    async with raw(bus, MALLORY) as mallory:
        answer = await mallory.client.request(subjects.records(M), FORGED, headers=expects, timeout=30)
    error = json.loads(answer.data)["error"]
    assert "wrong last sequence" in error["description"]
    assert await victim.forged() == {}
