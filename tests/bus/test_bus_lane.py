"""The subject of one call elsewhere: said by one copy, each thing once, whatever becomes of acknowledgements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from sympozium_protocol.bus.documents import record_parts
from sympozium_protocol.bus.faults import Superseded
from sympozium_protocol.bus.lane import Lane, messages
from sympozium_protocol.bus.line import Line
from sympozium_protocol.bus.link import Link
from sympozium_protocol.bus.places import reply_path, started_path
from sympozium_protocol.bus.reader import Stored
from sympozium_protocol.bus.settings import BusSettings
from sympozium_protocol.bus.stream import StreamLimits, make_stream
from sympozium_protocol.bus.subjects import RunKey
from tests.support.bus import go, soon
from tests.support.nats import NatsServer
from tests.support.proxy import Between

STARTED = started_path("far", "1-1")
REPLY = reply_path("far", "1-1")


@asynccontextmanager
async def line(url: str) -> AsyncIterator[Line]:
    async def greet(link: Link) -> None:
        await make_stream(link, StreamLimits())

    found = Line(BusSettings(url), "test", greet)
    keeping = asyncio.create_task(found.keep())
    try:
        yield found
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])


def lane(line: Line, run: str, writer: str) -> Lane:
    return Lane(line, RunKey("default", run), "far", "1-1", digest="0" * 64, writer=writer, since=0)


async def stored(line: Line, run: str) -> list[Stored]:
    async with aclosing(line.read(RunKey("default", run))) as found:
        return [message async for message in found]


def test_of_two_that_begin_one_is_refused_and_what_the_first_said_is_found_by_who_takes_over(
    shared_nats: NatsServer,
) -> None:
    async def both() -> None:
        async with line(shared_nats.url) as ours:
            first, second, third = (lane(ours, "two", writer) for writer in ("a", "b", "c"))
            await first.say(record_parts(STARTED, b"begun"))
            with pytest.raises(Superseded):
                await second.say(record_parts(STARTED, b"begun"))
            left = await third.look()
            assert (left.started, left.answered, left.last) == (b"begun", False, third.last)
            await third.say(record_parts(STARTED, b"begun"))
            with pytest.raises(Superseded):
                await first.say(record_parts(REPLY, b"late"))
            await third.say(record_parts(REPLY, b"done"))
            assert (await second.look()).answered
            assert [b'"done"' in message.data for message in await stored(ours, "two")] == [False, False, True]

    go(both())


@pytest.mark.parametrize("cancelled", [False, True])
def test_what_was_said_when_its_acknowledgement_was_lost_is_not_said_again(
    shared_nats: NatsServer, cancelled: bool
) -> None:
    run = f"lost-{cancelled}".lower()

    async def lose(between: Between) -> None:
        async with line(between.url) as ours, line(shared_nats.url) as beside:
            found = lane(ours, run, "a")
            await ours.link()
            between.freeze("client")
            saying = asyncio.create_task(found.say(record_parts(STARTED, b"begun")))
            while not await stored(beside, run):
                await asyncio.sleep(0.005)
            if cancelled:
                saying.cancel()
                await asyncio.wait([saying])
            between.cut()
            await soon(lambda: ours.now is None or None, "word that the connection is lost")
            between.heal()
            if not cancelled:
                await saying
            await found.say(record_parts(REPLY, b"done"))
            assert [b'"done"' in message.data for message in await stored(beside, run)] == [False, True]

    with Between(shared_nats.port) as between:
        go(lose(between))


def test_what_is_large_is_said_in_messages_that_a_server_takes(shared_nats: NatsServer) -> None:
    body = bytes(range(256)) * 10_000

    async def say() -> None:
        async with line(shared_nats.url) as ours:
            said = [*record_parts(STARTED, b"begun"), *record_parts(REPLY, body)]
            assert len(list(messages(said, "a"))) > 2
            await lane(ours, "large", "a").say(said)
            left = await lane(ours, "large", "b").look()
            assert (left.started, left.answered) == (b"begun", True)

    go(say())
