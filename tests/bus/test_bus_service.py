"""A participant served on the bus: copies share the work, each call is answered once, and by the rules of all."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from sympozium_protocol.bus.places import blob_path, reply_path, started_path
from sympozium_protocol.exits import Reason
from sympozium_protocol.messages import BlobPart, Effect
from tests.support.bus import Bridge, copies, done, go, soon, spec_of, words
from tests.support.nats import NatsServer
from tests.support.participant import NAMES


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


def test_a_call_that_is_withdrawn_is_stopped_and_answered(nats_server: NatsServer, tmp_path: Path) -> None:
    async def withdraw() -> None:
        async with copies(2, tmp_path, nats_server.url), Bridge(nats_server.url, spec_of("unwanted")) as bridge:
            await bridge.taken("1-1", "gate", until="/nowhere")
            await soon(lambda: done(tmp_path) or None, "effect")
            await bridge.withdraw("1-1")
            assert (await bridge.reply("1-1")).outcome == "cancelled"

    go(withdraw())


def test_a_call_that_is_withdrawn_while_it_waits_for_its_turn_is_answered_and_not_done(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"

    async def withdraw() -> None:
        async with copies(1, tmp_path, nats_server.url), Bridge(nats_server.url, spec_of("queue")) as bridge:
            for number in range(1, 10):
                await bridge.taken(f"{number}-1", "gate", until=str(gate))
            await soon(lambda: len(done(tmp_path)) == 8 or None, "eight effects")
            await bridge.withdraw("9-1")
            await bridge.taken("10-1", "echo", text="x")
            gate.touch()
            assert (await bridge.reply("9-1")).outcome == "cancelled"

    go(withdraw())
    assert "9-1" not in done(tmp_path)


def test_progress_and_signs_of_life_are_heard_and_what_was_kept_is_in_the_reply_of_a_timeout(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async def follow() -> None:
        async with copies(1, tmp_path, nats_server.url), Bridge(nats_server.url, spec_of("live")) as bridge:
            await bridge.taken("1-1", "partial", timeout=4.0)
            await soon(lambda: bridge.progress.get("1-1") == b"half" or None, "progress")
            await soon(lambda: "1-1" in bridge.working or None, "a sign of life")
            reply = await bridge.reply("1-1")
            assert (reply.outcome, reply.details) == ("timeout", {"done": 1})

    go(follow())


def test_bodies_are_in_the_stream_before_the_reply_that_names_them(nats_server: NatsServer, tmp_path: Path) -> None:
    async def keep() -> None:
        async with copies(1, tmp_path, nats_server.url), Bridge(nats_server.url, spec_of("bodies")) as bridge:
            await bridge.taken("1-1", "hoards", size=900_000)
            (part,) = (await bridge.reply("1-1")).content
            assert isinstance(part, BlobPart)
            path = blob_path("subject", part.digest)
            assert bridge.files[path] == b"x" * 900_000
            assert bridge.order.index(path) < bridge.order.index(reply_path("subject", "1-1"))

    go(keep())


def test_the_manifest_of_a_service_has_its_tools(nats_server: NatsServer, tmp_path: Path) -> None:
    async def ask() -> None:
        async with copies(1, tmp_path, nats_server.url), Bridge(nats_server.url, spec_of("tools")) as bridge:
            found = await bridge.manifest("subject")
            assert {tool.name for tool in found.tools} == set(NAMES)

    go(ask())


def test_at_sigterm_a_copy_ends_what_it_has_and_leaves_what_comes_to_the_other(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"

    async def end() -> None:
        url = nats_server.url
        async with Bridge(url, spec_of("ends")) as bridge, copies(1, tmp_path, url, GRACE="30") as (first,):
            await bridge.taken("1-1", "gate", until=str(gate))
            await soon(lambda: done(tmp_path) or None, "effect")
            ended = asyncio.create_task(first.end())
            await soon(lambda: '"ending"' in first.log.read_text() or None, "word that it ends")
            other = tmp_path / "other"
            other.mkdir()
            async with copies(1, other, url):
                for number in range(2, 12):
                    await bridge.taken(f"{number}-1", "echo", text="x")
                    await bridge.reply(f"{number}-1")
            assert done(tmp_path) == ["1-1"]
            gate.touch()
            assert (await bridge.reply("1-1")).outcome == "ok"
            assert await ended == Reason.Suspended
            assert not list(tmp_path.glob("sympozium-run-*"))

    go(end())


def test_what_outlasts_the_grace_stays_started_and_unanswered(nats_server: NatsServer, tmp_path: Path) -> None:
    async def end() -> None:
        url = nats_server.url
        async with Bridge(url, spec_of("cut", "write")) as bridge, copies(1, tmp_path, url, GRACE="0.1") as (copy,):
            await bridge.taken("1-1", "gate", until="/nowhere")
            await bridge.started("1-1")
            await soon(lambda: done(tmp_path) or None, "effect")
            assert await copy.end() == Reason.Suspended
            assert reply_path("subject", "1-1") not in bridge.files
            async with copies(1, tmp_path, url):
                await bridge.taken("1-1", "gate", again=True, until="/nowhere")
                assert (await bridge.reply("1-1")).outcome == "interrupted"

    go(end())
