"""A service on the bus when things go wrong: what is lost, what comes late, and what is none of its business."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Turned
from sympozium_protocol.bus.link import connected
from sympozium_protocol.bus.places import reply_path, started_path
from sympozium_protocol.bus.service import Bounds, OnBus
from sympozium_protocol.bus.settings import BusSettings
from sympozium_protocol.bus.stream import StreamLimits, make_stream
from sympozium_protocol.bus.tokens import RunIdentity, ServiceIdentity
from sympozium_protocol.exits import Reason
from sympozium_protocol.messages import ParticipantSpec, RunSpec, ToolSpec
from sympozium_protocol.participant import serve
from tests.support.bus import Bridge, Copy, copies, died, done, go, soon, spec_of, words
from tests.support.bus_auth import guarded_bus
from tests.support.nats import NatsServer
from tests.support.participant import HANDLERS, NAMES
from tests.support.proxy import Between


@asynccontextmanager
async def served(url: str, **options: Any) -> AsyncIterator[None]:
    """A copy in this process."""
    serving = asyncio.create_task(serve(HANDLERS, on=OnBus("subject", BusSettings(url), grace=0, **options)))
    try:
        yield
    finally:
        serving.cancel()
        await asyncio.wait([serving])


def events(log: Path, event: str) -> list[dict[str, Any]]:
    return [found for line in log.read_text().splitlines() if (found := json.loads(line))["event"] == event]


@pytest.mark.parametrize(
    ("point", "effects"), [("started", []), ("effect", ["1-1"]), ("before-reply", ["1-1"]), ("replied", ["1-1"])]
)
def test_a_write_is_done_once_at_most_wherever_the_copy_is_killed(
    nats_server: NatsServer, tmp_path: Path, point: str, effects: list[str]
) -> None:
    async def die() -> str:
        url = nats_server.url
        async with (
            Bridge(url, spec_of("killed", "write")) as bridge,
            copies(2, tmp_path, url, SYMPOZIUM_FAILPOINT=f"{point}@{tmp_path}/died") as found,
        ):
            await bridge.taken("1-1", "echo", text="x")
            await died(found)
            await bridge.started("1-1")
            await bridge.taken("1-1", "echo", again=True, text="x")
            return (await bridge.reply("1-1")).outcome

    assert go(die()) == ("ok" if point == "replied" else "interrupted")
    assert done(tmp_path) == effects


def test_a_copy_that_was_only_slow_does_not_speak_after_another_took_over(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"

    async def slow() -> None:
        url = nats_server.url
        async with Bridge(url, spec_of("slow", "write")) as bridge, copies(1, tmp_path, url) as (first,):
            await bridge.taken("1-1", "gate", until=str(gate))
            await soon(lambda: done(tmp_path) or None, "effect")
            os.kill(first.process.pid, signal.SIGSTOP)
            other = tmp_path / "other"
            other.mkdir()
            async with copies(1, other, url):
                while reply_path("subject", "1-1") not in bridge.files:  # the stopped one may be asked, too
                    request = asyncio.create_task(bridge.ask("1-1", "gate", again=True, until=str(gate)))
                    await asyncio.wait([request], timeout=0.2)
                    request.cancel()
                assert (await bridge.reply("1-1")).outcome == "interrupted"
                gate.touch()
                os.kill(first.process.pid, signal.SIGCONT)
                await soon(lambda: events(first.log, "call left to another") or None, "word that it was refused")
            await bridge.taken("2-1", "echo", text="goes on")
            await bridge.reply("2-1")
            assert bridge.order.count(reply_path("subject", "1-1")) == 1

    go(slow())


def test_nothing_is_done_before_the_stream_has_started(nats_server: NatsServer, tmp_path: Path) -> None:
    async def full() -> None:
        url = nats_server.url
        async with Bridge(url, spec_of("full")) as bridge, copies(1, tmp_path, url) as (copy,):
            async with connected(BusSettings(url), principal="test") as link:
                await make_stream(link, StreamLimits(size=10))
                await bridge.taken("1-1", "echo", text="x")
                await bridge.taken("2-1", "echo", text="x", timeout=0.2)
                # its timeout passes, and that is refused as well
                await soon(lambda: len(events(copy.log, "not said yet")) > 5 or None, "refusals")
                assert done(tmp_path) == []
                await make_stream(link, StreamLimits())
            assert (await bridge.reply("1-1")).outcome == "ok"
            assert (await bridge.reply("2-1")).outcome == "timeout"

    go(full())
    assert done(tmp_path) == ["1-1"]


@pytest.mark.parametrize("late", ["started", "reply"])
def test_an_acknowledgement_that_is_lost_is_found_out_in_the_stream(
    nats_server: NatsServer, tmp_path: Path, late: str
) -> None:
    gate = tmp_path / "gate"

    async def lose(between: Between) -> None:
        async with Bridge(nats_server.url, spec_of("lost")) as bridge, copies(1, tmp_path, between.url):
            await bridge.taken("0-1", "echo", text="x")
            await bridge.reply("0-1")
            if late == "started":
                between.freeze("client")
                request = asyncio.create_task(bridge.ask("1-1", "gate", until=str(gate)))
                await asyncio.sleep(0)
                between.heal()
                await request
            else:
                await bridge.taken("1-1", "gate", until=str(gate))
            await bridge.started("1-1")
            await soon(lambda: "1-1" in done(tmp_path) or None, "effect")
            between.freeze("client")
            gate.touch()
            await bridge.reply("1-1")  # it is in the stream, and the copy does not know
            between.cut()
            between.heal()
            await bridge.taken("2-1", "echo", text="after")
            assert (await bridge.reply("2-1")).outcome == "ok"

    with Between(nats_server.port) as between:
        go(lose(between))
    assert done(tmp_path).count("1-1") == 1


def test_a_call_goes_on_while_the_server_is_away_and_its_reply_comes_when_it_is_back(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"

    async def away() -> None:
        url = nats_server.url
        async with Bridge(url, spec_of("away", "write")) as bridge, copies(1, tmp_path, url) as (copy,):
            await bridge.taken("1-1", "gate", until=str(gate))
            await soon(lambda: done(tmp_path) or None, "effect")
            nats_server.kill()
            gate.touch()
            await soon(lambda: events(copy.log, "bus away") or None, "word that the server is away")
            nats_server.start()
            assert (await bridge.reply("1-1")).outcome == "ok"

    go(away())


def test_a_service_that_the_server_does_not_want_says_so_and_ends(tmp_path: Path) -> None:
    with guarded_bus(tmp_path / "guarded") as bus:
        settings = bus.settings("no token at all")
        copy = Copy(tmp_path, bus.server.url, SYMPOZIUM_BUS_TOKEN_FILE=str(settings.token_file))
        assert copy.process.wait(30) == Reason.BusRefused


def test_what_is_none_of_its_business_is_turned_away_with_a_reason(shared_nats: NatsServer, tmp_path: Path) -> None:
    def spec(run: str, **changes: Any) -> RunSpec:
        tools = (ToolSpec(name="echo", effect="read"),)
        fields: dict[str, Any] = {"name": "subject", "tools": tools, "placement": "bus", **changes}
        return spec_of(run, participants=(ParticipantSpec(**fields),))

    async def why(spec: RunSpec, **more: Any) -> str:
        async with Bridge(shared_nats.url, spec) as bridge:
            data = bridge.sent("1-1", "echo", text="x", **more)
            found = await bridge.request(subjects.call("subject", bridge.run, "subject"), data)
            return Turned.decode(found).why

    async def all_of_them() -> None:
        async with served(shared_nats.url, namespaces=frozenset({"default"})):
            assert "no participant subject" in await why(spec("in-pod", placement="pod"))
            assert "no participant subject" in await why(spec("other-service", service="another"))
            assert "no participant subject" in await why(spec("other-name", name="else"))
            assert "namespace" in await why(spec_of("far", namespace="elsewhere"))
            assert "about another call" in await why(spec("changed"), allowed=b"something else")
            async with Bridge(shared_nats.url, spec("known")) as bridge:
                data = bridge.sent("1-1", "echo", text="x")
                unknown = subjects.call("subject", subjects.RunKey("default", "unknown"), "subject")
                assert "no run default.unknown" in Turned.decode(await bridge.request(unknown, data)).why
                garbage = subjects.call("subject", bridge.run, "subject")
                assert "cannot be used" in Turned.decode(await bridge.request(garbage, b"{")).why
                await bridge.taken("2-1", "echo", text="fine")
                assert words(await bridge.reply("2-1")) == "fine"

    go(all_of_them())


def test_a_call_that_cannot_be_made_is_answered_in_words(shared_nats: NatsServer) -> None:
    async def wrong() -> None:
        async with served(shared_nats.url), Bridge(shared_nats.url, spec_of("wrong")) as bridge:
            await bridge.taken("1-1", "echo", other=1)
            await bridge.taken("2-1", "unheard_of")
            await bridge.taken("3-1", "raises")
            assert "text" in words(await bridge.reply("1-1"))
            assert "There is no tool unheard_of" in words(await bridge.reply("2-1"))
            assert "/secret" not in words(await bridge.reply("3-1"))
            assert started_path("subject", "1-1") not in bridge.files

    go(wrong())


def test_more_than_a_copy_takes_on_is_turned_away_and_there_is_room_again_afterwards(
    shared_nats: NatsServer, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"

    async def crowd() -> None:
        url = shared_nats.url
        async with (
            served(url, bounds=Bounds(runs=1, calls=2, each=1)),
            Bridge(url, spec_of("crowd-a")) as a,
            Bridge(url, spec_of("crowd-b")) as b,
        ):
            await a.taken("1-1", "gate", until=str(gate))
            for run, call in ((a, "2-1"), (b, "1-1")):
                assert isinstance(await run.ask(call, "gate", until=str(gate)), Turned)
            gate.touch()
            await a.reply("1-1")
            while isinstance(await b.ask("1-1", "gate", until=str(gate)), Turned):
                pass
            assert words(await b.reply("1-1")) == "through"
            while isinstance(await a.ask("2-1", "echo", text="back"), Turned):
                pass
            assert words(await a.reply("2-1")) == "back"

    go(crowd())


def test_a_service_comes_with_a_token_and_answers_runs_that_come_with_theirs(tmp_path: Path) -> None:
    with guarded_bus(tmp_path / "guarded") as bus:
        service = bus.settings(ServiceIdentity(service="subject", participant="subject", namespaces=("default",)))
        spec = spec_of("guarded")

        async def guarded() -> None:
            own = bus.settings(RunIdentity(namespace=spec.namespace, run=spec.run))
            serving = asyncio.create_task(serve(HANDLERS, on=OnBus("subject", service, grace=0)))
            try:
                async with Bridge(own, spec) as bridge:
                    await bridge.taken("1-1", "partial", timeout=3.0)
                    await soon(lambda: bridge.progress.get("1-1") or None, "progress")
                    assert (await bridge.reply("1-1")).outcome == "timeout"
                    await bridge.taken("1-1", "echo", again=True, text="x")
                    await bridge.taken("2-1", "gate", until="/nowhere")
                    await bridge.started("2-1")
                    await bridge.withdraw("2-1")
                    assert (await bridge.reply("2-1")).outcome == "cancelled"
                    assert {tool.name for tool in (await bridge.manifest("subject")).tools} == set(NAMES)
            finally:
                serving.cancel()
                await asyncio.wait([serving])

        go(guarded())
