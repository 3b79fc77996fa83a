"""A hostile person or service: what it says beyond its own place is refused, or without effect on the stream."""

from __future__ import annotations

import json

import pytest

from sympozium_protocol.bus import subjects, tokens
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.bus.tokens import PersonIdentity, ServiceIdentity
from tests.support.bus_auth import GuardedBus
from tests.support.bus_hostile import FORGED, M, Victim, anyio_backend, api_subjects, bus, inner_places, raw, victim

__all__ = ["anyio_backend", "bus", "victim"]

pytestmark = pytest.mark.anyio


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
            *(f"$JS.API.{what}" for what in api_subjects(victim.bridge.reader, service.reader, str(run))),
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
            *inner_places(victim.run, victim.bridge.reader),
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
