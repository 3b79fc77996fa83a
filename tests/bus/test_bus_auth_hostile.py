"""A hostile client with one run's credential: what it tries is refused, or without effect on what is in the stream."""

from __future__ import annotations

import asyncio
import contextlib
import json

import nats.errors
import nats.js.errors
import pytest

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.reader import open_reader
from tests.support.bus_auth import GuardedBus
from tests.support.bus_hostile import (
    FORGED,
    MALLORY,
    M,
    Victim,
    anyio_backend,
    api_subjects,
    bus,
    inner_places,
    raw,
    victim,
)

__all__ = ["anyio_backend", "bus", "victim"]

pytestmark = pytest.mark.anyio


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
            *(f"$JS.API.{what}" for what in api_subjects(other, mallory.reader, str(run))),
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


async def test_no_reply_subject_makes_the_server_publish_for_it(bus: GuardedBus, victim: Victim) -> None:
    """By an acknowledgement, by a message of its own that a reader hands out, and by the answer to a request."""
    async with raw(bus, MALLORY) as mallory:
        own = subjects.inbox(mallory.reader)
        assert await mallory.subscribe(f"{own}.>")
        for place in inner_places(victim.run, victim.bridge.reader):
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
