"""A participant served on the bus: copies share the work, each call is answered once, and by the rules of all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from sympozium_protocol.bus.places import reply_path, started_path
from sympozium_protocol.messages import Effect, ParticipantSpec, Reply, RunSpec, TextPart, ToolSpec
from tests.support import participant
from tests.support.bus import Bridge, copies, soon
from tests.support.ipc import run_spec
from tests.support.nats import NatsServer

T = TypeVar("T")


def spec_of(run: str, effect: Effect = "read", name: str = "subject", **changes: Any) -> RunSpec:
    tools = tuple(ToolSpec(name=name, effect=effect) for name in participant.NAMES)
    found = ParticipantSpec(name=name, tools=tools, placement="bus", service="subject")
    return run_spec(run=run, participants=(found,), **changes)


def go(test: Coroutine[Any, Any, T]) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(120):
            return await test

    return asyncio.run(bounded())


def words(reply: Reply) -> str:
    return "".join(part.text for part in reply.content if isinstance(part, TextPart))


def done(folder: Path) -> list[str]:
    effects = folder / "effects"
    return effects.read_text().split() if effects.exists() else []


def test_a_call_is_started_in_the_stream_and_then_answered_there(nats_server: NatsServer, tmp_path: Path) -> None:
    async def one() -> None:
        async with copies(1, tmp_path, nats_server.url), Bridge(nats_server.url, spec_of("one")) as bridge:
            await bridge.taken("1-1", "echo", text="hello")
            reply = await bridge.reply("1-1")
            assert (reply.outcome, words(reply)) == ("ok", "hello")
            assert (await bridge.started("1-1")).digest == reply.digest
            assert bridge.order[1:] == [started_path("subject", "1-1"), reply_path("subject", "1-1")]

    go(one())


def test_two_copies_share_the_calls_of_two_runs_and_each_is_done_once(nats_server: NatsServer, tmp_path: Path) -> None:
    ids = [f"{number}-1" for number in range(1, 41)]

    async def share() -> None:
        url = nats_server.url
        async with copies(2, tmp_path, url), Bridge(url, spec_of("a")) as a, Bridge(url, spec_of("b")) as b:
            await asyncio.gather(*(run.taken(call, "echo", text=call) for call in ids for run in (a, b)))
            for run in (a, b):
                assert [words(await run.reply(call)) for call in ids] == ids
                assert Counter(run.order) == Counter(set(run.order))

    go(share())
    assert Counter(done(tmp_path)) == dict.fromkeys(ids, 2)


def test_a_call_that_is_sent_again_to_another_copy_is_still_done_once(nats_server: NatsServer, tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    async def twice() -> None:
        async with copies(3, tmp_path, nats_server.url), Bridge(nats_server.url, spec_of("again")) as bridge:
            for _ in range(12):
                await bridge.taken("1-1", "gate", until=str(gate))
            await bridge.started("1-1")
            gate.touch()
            assert words(await bridge.reply("1-1")) == "through"
            for _ in range(12):
                await bridge.taken("1-1", "gate", until=str(gate))
            await bridge.taken("2-1", "echo", text="after")
            await bridge.reply("2-1")

    go(twice())
    assert done(tmp_path).count("1-1") == 1


@pytest.mark.parametrize(("effect", "outcome", "times"), [("write", "interrupted", 1), ("read", "ok", 2)])
def test_what_a_killed_copy_left_is_interrupted_if_it_writes_and_else_done_again(
    nats_server: NatsServer, tmp_path: Path, effect: Effect, outcome: str, times: int
) -> None:
    gate = tmp_path / "gate"

    async def lose() -> None:
        url = nats_server.url
        async with Bridge(url, spec_of("killed", effect)) as bridge:
            async with copies(1, tmp_path, url) as (first,):
                await bridge.taken("1-1", "gate", until=str(gate))
                await soon(lambda: done(tmp_path) or None, "effect")
                first.kill()
            gate.touch()
            async with copies(1, tmp_path, url):
                await bridge.taken("1-1", "gate", again=True, until=str(gate))
                assert (await bridge.reply("1-1")).outcome == outcome

    go(lose())
    assert done(tmp_path) == ["1-1"] * times
