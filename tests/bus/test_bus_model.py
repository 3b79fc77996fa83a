"""The model gateway as a service: what was paid for is never lost and never bought twice, whoever is killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sympozium_protocol.bus.documents import Turned
from sympozium_protocol.bus.places import path_of, reply_path, started_path
from sympozium_protocol.clock import utc
from sympozium_protocol.exits import Reason
from sympozium_protocol.layout import TRANSCRIPT
from sympozium_protocol.messages import (
    AssistantMessage,
    LimitSpec,
    ModelSpec,
    ParticipantSpec,
    Reply,
    RunSpec,
    SystemMessage,
    ToolSpec,
    UserMessage,
)
from tests.support.bus import Bridge, copies, died, go, soon
from tests.support.ipc import run_spec
from tests.support.nats import NatsServer
from tests.support.provider_server import ProviderServer, provider_server

PROGRAM = Path(sys.executable).with_name("sympozium-model")
KEY = "canary-key-value"
TIME = utc(1_800_000_000.0)


def spec_of(server: ProviderServer, run: str, limits: LimitSpec | None = None, **model: Any) -> RunSpec:
    found = ModelSpec(**{"provider": "openai", "model": "m", "base_url": f"{server.url}/v1", **model})
    lives = ParticipantSpec(
        name="model", role="model", tools=(ToolSpec(name="complete"),), placement="bus", service="gateway"
    )
    return run_spec(run=run, model=found, participants=(lives,), limits=limits or LimitSpec())


def gateways(number: int, folder: Path, nats: NatsServer, server: ProviderServer, **environment: str) -> Any:
    command = (PROGRAM, "--bus", "--service", "gateway", "--provider", "openai", "--base-url", f"{server.url}/v1")
    return copies(number, folder, nats.url, *command, OPENAI_API_KEY=KEY, **environment)


class Talk:
    """The conversation of a run, as its agent and its bridge have it."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self.seq = 0

    async def begin(self, question: str = "What is so?") -> None:
        await self.say(SystemMessage(seq=1, time=TIME, text="You are careful."))
        await self.say(UserMessage(seq=2, time=TIME, text=question))

    async def say(self, message: Any) -> None:
        self.seq += 1
        await self.bridge.say(path_of(TRANSCRIPT, f"{self.seq}.json"), message)

    async def ask(self, attempt: int = 1, *, again: bool = False, timeout: float = 60.0) -> str:
        call = f"m{self.seq + 1}-{attempt}"
        ranges = [[1, self.seq]]
        await self.bridge.taken(call, "complete", "model", again=again, timeout=timeout, ranges=ranges)
        return call

    async def reply(self, call: str) -> Reply:
        return await self.bridge.reply(call, "model")

    async def turn(self) -> Reply:
        """One completion, taken into the transcript."""
        reply = await self.reply(await self.ask())
        if reply.completion:
            text = reply.completion.text
            await self.say(AssistantMessage(seq=self.seq + 1, time=TIME, call=reply.id, text=text))
        return reply


def said(reply: Reply) -> str:
    assert reply.completion is not None, reply
    return reply.completion.text


def test_two_runs_talk_at_once_through_two_copies_each_with_its_own_conversation(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async def talk(bridge: Bridge) -> list[str]:
        found = Talk(bridge)
        await found.begin(f"I am {bridge.run.run}")
        texts = []
        for number in range(4):
            texts.append(said(await found.turn()))
            await found.say(UserMessage(seq=found.seq + 1, time=TIME, text=f"{bridge.run.run} goes on {number}"))
        return texts

    async def both(server: ProviderServer) -> None:
        url = nats_server.url
        async with (
            gateways(2, tmp_path, nats_server, server),
            Bridge(url, spec_of(server, "one")) as one,
            Bridge(url, spec_of(server, "two")) as two,
        ):
            await asyncio.gather(talk(one), talk(two))
            for bridge in (one, two):
                for path, data in bridge.files.items():
                    assert path.startswith("run/") or KEY.encode() not in data

    with provider_server({"text": "an answer"}) as server:
        go(both(server))
    assert len(server.requests) == 8
    for request in server.requests:
        texts = [message["content"] for message in request["messages"]]
        own, other = ("one", "two") if texts[1] == "I am one" else ("two", "one")
        assert texts[1] == f"I am {own}"
        assert not any(f"{other} goes on" in text for text in texts)
        assert texts.count("an answer") == sum("goes on" in text for text in texts)


def test_an_answer_that_was_paid_for_outlives_the_gateway_that_bought_it(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async def die(server: ProviderServer) -> None:
        async with (
            gateways(2, tmp_path, nats_server, server, SYMPOZIUM_FAILPOINT=f"replied@{tmp_path}/died") as found,
            Bridge(nats_server.url, spec_of(server, "paid")) as bridge,
        ):
            talk = Talk(bridge)
            await talk.begin()
            call = await talk.ask()
            await died(found)
            await talk.ask(again=True)
            assert said(await talk.reply(call)) == "bought"
            await talk.say(AssistantMessage(seq=3, time=TIME, call=call, text="bought"))
            await talk.say(UserMessage(seq=4, time=TIME, text="more"))
            assert said(await talk.turn()) == "second"

    with provider_server({"text": "bought"}, {"text": "second"}) as server:
        go(die(server))
    assert len(server.requests) == 2
    assert [m["content"] for m in server.requests[1]["messages"]][2:] == ["bought", "more"]


@pytest.mark.parametrize(("point", "bought"), [("started", 0), ("effect", 1), ("before-reply", 1)])
def test_one_that_was_lost_with_its_gateway_is_interrupted_stays_charged_and_is_not_bought_again(
    nats_server: NatsServer, tmp_path: Path, point: str, bought: int
) -> None:
    limits = LimitSpec(tokens=10_000)

    async def die(server: ProviderServer) -> None:
        async with (
            gateways(2, tmp_path, nats_server, server, SYMPOZIUM_FAILPOINT=f"{point}@{tmp_path}/died") as found,
            Bridge(nats_server.url, spec_of(server, "lost", limits)) as bridge,
        ):
            talk = Talk(bridge)
            await talk.begin()
            call = await talk.ask()
            await died(found)
            reservation = (await bridge.started(call, "model")).reservation
            assert reservation is not None
            assert reservation.tokens > 5000
            await talk.ask(again=True)
            assert (await talk.reply(call)).outcome == "interrupted"
            assert len(server.requests) == bought
            second = await talk.reply(await talk.ask(2))
            assert said(second) == "an answer"
            # the next is given what the lost one left of the budget
            capped = server.requests[-1]["max_tokens"]
            assert capped <= limits.tokens - reservation.tokens

    with provider_server({"text": "an answer"}) as server:
        go(die(server))
    assert len(server.requests) == bought + 1


def test_the_budget_is_counted_again_from_the_stream_and_over_all_copies(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async def spend(server: ProviderServer) -> None:
        url = nats_server.url
        async with Bridge(url, spec_of(server, "budget", LimitSpec(calls=3))) as bridge:
            talk = Talk(bridge)
            await talk.begin()
            async with gateways(1, tmp_path, nats_server, server) as (first,):
                assert said(await talk.turn()) == "an answer"
                first.kill()
            async with gateways(2, tmp_path, nats_server, server):
                for _ in range(2):
                    await talk.say(UserMessage(seq=talk.seq + 1, time=TIME, text="more"))
                    assert said(await talk.turn()) == "an answer"
                await talk.say(UserMessage(seq=talk.seq + 1, time=TIME, text="more"))
                for attempt in range(1, 5):  # whichever copy has it
                    assert (await talk.reply(await talk.ask(attempt))).failure == "budget"

    with provider_server({"text": "an answer"}) as server:
        go(spend(server))
    assert len(server.requests) == 3


def test_two_calls_at_the_same_moment_are_not_both_sent_where_the_budget_is_for_one(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async def race(server: ProviderServer) -> None:
        async with gateways(3, tmp_path, nats_server, server):
            for number in range(6):
                spec = spec_of(server, f"race-{number}", LimitSpec(tokens=150))
                async with Bridge(nats_server.url, spec) as bridge:
                    talk, before = Talk(bridge), len(server.requests)
                    await talk.begin()
                    calls = await asyncio.gather(*(talk.ask(attempt) for attempt in (1, 2, 3)))
                    replies = await asyncio.gather(*map(talk.reply, calls))
                    assert [r.failure for r in replies].count("budget") >= 2
                    assert len(server.requests) - before <= 1

    with provider_server({"text": "an answer"}) as server:
        go(race(server))


def test_what_the_model_says_is_seen_as_it_comes_and_in_the_stream_before_anybody_acts_on_it(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async def follow(server: ProviderServer) -> None:
        async with (
            gateways(1, tmp_path, nats_server, server),
            Bridge(nats_server.url, spec_of(server, "seen")) as bridge,
        ):
            talk = Talk(bridge)
            await talk.begin()
            call = await talk.ask()
            assert said(await talk.reply(call)) == "word by word"
            await soon(lambda: bridge.progress.get(call) == b"word by word" or None, "progress")
            assert bridge.order[-2:] == [started_path("model", call), reply_path("model", call)]

    with provider_server({"text": "word| by| word"}) as server:
        go(follow(server))


def test_a_run_of_another_provider_or_address_is_turned_away(nats_server: NatsServer, tmp_path: Path) -> None:
    async def other(server: ProviderServer) -> None:
        async with gateways(1, tmp_path, nats_server, server):
            for run, changes in (("far", {"base_url": "http://192.0.2.1/v1"}), ("azure", {"provider": "azure"})):
                async with Bridge(nats_server.url, spec_of(server, run, **changes)) as bridge:
                    found = await bridge.ask("m3-1", "complete", "model", ranges=[[1, 2]])
                    assert isinstance(found, Turned)
                    assert "this gateway speaks to openai" in found.why

    with provider_server({"text": "never"}) as server:
        go(other(server))
    assert server.requests == []


def test_a_scripted_run_can_be_served_from_elsewhere(nats_server: NatsServer, tmp_path: Path) -> None:
    script = {"steps": [{"say": "first"}, {"say": "second"}]}

    async def play() -> None:
        command = (PROGRAM, "--bus", "--service", "gateway", "--provider", "scripted")
        with provider_server({"text": "never"}) as server:
            spec = spec_of(server, "scripted", provider="scripted", base_url="", script=script)
        async with copies(2, tmp_path, nats_server.url, *command), Bridge(nats_server.url, spec) as bridge:
            talk = Talk(bridge)
            await talk.begin()
            assert said(await talk.turn()) == "first"
            await talk.say(UserMessage(seq=talk.seq + 1, time=TIME, text="more"))
            assert said(await talk.turn()) == "second"

    go(play())


@pytest.mark.parametrize(
    ("words", "environment", "reason"),
    [
        (["--bus"], {}, Reason.Usage),
        (["--service", "gateway"], {}, Reason.Usage),
        (["--bus", "--service", "gateway", "--provider", "openai"], {}, Reason.Usage),
        (
            ["--bus", "--service", "Not One", "--provider", "openai"],
            {"SYMPOZIUM_BUS": "nats://127.0.0.1:1"},
            Reason.Usage,
        ),
        (
            ["--bus", "--service", "g", "--provider", "openai"],
            {"SYMPOZIUM_BUS": "nats://127.0.0.1:1"},
            Reason.MissingKey,
        ),
    ],
)
def test_a_gateway_that_cannot_serve_says_why(words: list[str], environment: dict[str, str], reason: Reason) -> None:
    assert subprocess.run([PROGRAM, *words], env=environment, capture_output=True, timeout=60).returncode == reason
