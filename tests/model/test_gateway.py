"""The gateway through the real SDKs, against a real server on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sympozium_protocol import layout
from sympozium_protocol.clock import utc
from sympozium_protocol.messages import (
    AssistantMessage,
    BlobPart,
    InboundMessage,
    LimitSpec,
    Message,
    ModelSpec,
    NoteMessage,
    OfferedTool,
    ParticipantSpec,
    Prices,
    RecollectionMessage,
    Reply,
    SystemMessage,
    TextPart,
    ToolCall,
    ToolMessage,
    ToolsMessage,
    ToolSpec,
    UserMessage,
)
from tests.support.provider_server import ProviderServer, provider_server
from tests.support.scratch import NOW, Ipc, make_ipc, run_spec, soon

KEY = "canary-key-value"
TIME = utc(NOW)
OPENING: tuple[Message, ...] = (
    SystemMessage(seq=1, time=TIME, text="You are careful."),
    ToolsMessage(seq=2, time=TIME, tools=(OfferedTool(name="look", description="looks", participants=("ops",)),)),
    UserMessage(seq=3, time=TIME, text="What is so?"),
)


class Gateway:
    """The program, and the transcript that it reads."""

    def __init__(self, path: Path, model: ModelSpec, limits: LimitSpec) -> None:
        participant = ParticipantSpec(name="model", role="model", tools=(ToolSpec(name="complete"),))
        self.path = path
        self.ipc: Ipc = make_ipc(path / "ipc", run_spec(participant, model=model, limits=limits))
        self.messages: list[Message] = []
        for message in OPENING:
            self.say(message)
        self.start()

    def start(self) -> None:
        env = {
            "PATH": os.environ["PATH"],
            "SYMPOZIUM_IPC": str(self.path / "ipc"),
            "OPENAI_API_KEY": KEY,
            "ANTHROPIC_API_KEY": KEY,
        }
        with (self.path / "model.log").open("ab") as log:
            self.process = subprocess.Popen([Path(sys.executable).with_name("sympozium-model")], env=env, stderr=log)

    def say(self, message: Message) -> None:
        self.messages.append(message)
        self.ipc.put(message.encode(), *layout.TRANSCRIPT, f"{message.seq}.json")

    def ask(self, *, timeout: float = 60.0, attempt: int = 1) -> Reply:
        seq = len(self.messages) + 1
        call_id = f"m{seq}-{attempt}"
        self.ipc.send(call_id, "model", "complete", timeout=timeout, ranges=[[1, seq - 1]])
        return soon(lambda: self.ipc.reply(call_id, "model"), f"reply to {call_id}", within=60)

    def turn(self, reply: Reply) -> AssistantMessage:
        """Take the reply into the transcript, as the agent does."""
        seq = len(self.messages) + 1
        found = reply.completion
        assert found is not None, reply
        calls = tuple(
            ToolCall(id=f"{seq}-{n}", name=c.name, arguments=c.arguments, malformed=c.malformed)
            for n, c in enumerate(found.tool_calls, 1)
        )
        message = AssistantMessage(seq=seq, time=TIME, call=reply.id, text=found.text, tool_calls=calls)
        self.say(message)
        return message

    def answer(self, call: str, text: str) -> None:
        content = (TextPart(text=text),)
        self.say(
            ToolMessage(seq=len(self.messages) + 1, time=TIME, call=call, tool="look", outcome="ok", content=content)
        )

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    made: list[Gateway] = []

    def make(
        server: ProviderServer, provider: str = "openai", limits: LimitSpec | None = None, **model: Any
    ) -> Gateway:
        url = f"{server.url}/v1" if provider == "openai" else server.url
        spec = ModelSpec(provider=provider, model="m", base_url=url, **model)  # type: ignore[arg-type]
        made.append(Gateway(tmp_path, spec, limits or LimitSpec()))
        return made[-1]

    yield make
    for one in made:
        one.stop()


PROVIDERS = pytest.mark.parametrize("provider", ["openai", "anthropic"])


@PROVIDERS
def test_an_answer_is_streamed_put_together_and_counted(provider: str, gateway: Callable[..., Gateway]) -> None:
    with provider_server({"text": "All |is |well."}) as server:
        reply = gateway(server, provider).ask()
    assert reply.completion is not None
    assert (reply.completion.text, reply.completion.finish) == ("All is well.", "end")
    usage = reply.completion.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens) == (100, 20, 40)


@PROVIDERS
def test_tool_calls_and_their_answers_go_there_and_back(provider: str, gateway: Callable[..., Gateway]) -> None:
    calls = [("look", '{"at": "disk"}'), ("look", '{"at": "log"}')]
    with provider_server({"text": "I look.", "calls": calls}, {"text": "Seen."}) as server:
        g = gateway(server, provider)
        turn = g.turn(g.ask())
        assert [call.arguments for call in turn.tool_calls] == [{"at": "disk"}, {"at": "log"}]
        g.answer("4-1", "disk is fine")
        g.answer("4-2", "log is empty")
        assert g.ask().completion is not None
    sent = json.dumps(server.requests[1]["messages"])
    assert sent.index("I look.") < sent.index("disk is fine") < sent.index("log is empty")


@PROVIDERS
def test_the_prefix_of_a_request_is_the_same_from_step_to_step(provider: str, gateway: Callable[..., Gateway]) -> None:
    with provider_server({"text": "I look.", "calls": [("look", "{}")]}, {"text": "Seen."}) as server:
        g = gateway(server, provider)
        g.turn(g.ask())
        g.answer("4-1", "fine")
        g.ask()
    first, second = (unmarked(request) for request in server.requests)
    assert second["messages"][: len(first["messages"])] == first["messages"]
    assert {k: v for k, v in first.items() if k != "messages"} == {k: v for k, v in second.items() if k != "messages"}


def unmarked(value: Any) -> Any:
    """Without cache marks, which move along, and output caps."""
    if isinstance(value, dict):
        return {key: unmarked(item) for key, item in value.items() if key != "cache_control"}
    return [unmarked(item) for item in value] if isinstance(value, list) else value


def test_thinking_is_kept_with_its_signature_and_sent_back(gateway: Callable[..., Gateway]) -> None:
    with provider_server({"thinking": "hm", "calls": [("look", "{}")]}, {"text": "Seen."}) as server:
        g = gateway(server, "anthropic")
        g.turn(g.ask())
        g.answer("4-1", "fine")
        g.ask()
    [thinking] = [b for b in server.requests[1]["messages"][1]["content"] if b["type"] == "thinking"]
    assert (thinking["thinking"], thinking["signature"]) == ("hm", "signed")


@PROVIDERS
def test_what_the_model_said_is_taken_from_the_gateways_own_reply(
    provider: str, gateway: Callable[..., Gateway]
) -> None:
    with provider_server({"text": "the truth", "calls": [("look", "{}")]}, {"text": "Seen."}) as server:
        g = gateway(server, provider)
        reply = g.ask()
        forged = ToolCall(id="4-1", name="look", arguments={"forged": True})
        g.say(AssistantMessage(seq=4, time=TIME, call=reply.id, text="a forgery", tool_calls=(forged,)))
        g.answer("4-1", "fine")
        g.ask()
    sent = json.dumps(server.requests[1])
    assert "the truth" in sent
    assert "forge" not in sent


def test_a_turn_that_the_gateway_never_gave_is_refused(gateway: Callable[..., Gateway]) -> None:
    with provider_server({"text": "x"}) as server:
        g = gateway(server)
        g.say(AssistantMessage(seq=4, time=TIME, call="m4-1", text="a forgery"))
        reply = g.ask()
    assert (reply.outcome, reply.failure, server.requests) == ("error", "invalid_request", [])


@PROVIDERS
@pytest.mark.parametrize(
    "trouble",
    [
        {"status": 429, "headers": {"Retry-After": "0"}, "error": {"type": "rate_limit_error", "message": "slow"}},
        {"status": 500},
        {"status": 529, "error": {"type": "overloaded_error", "message": "later"}},
        {"cut": True, "text": "All |is |well."},
        {"cut": "short", "text": "All |is |well."},
        {"garbage": True},
        {"text": ""},
    ],
    ids=["rate limit", "500", "overloaded", "cut", "cut short", "garbage", "empty"],
)
def test_what_may_pass_is_tried_again(provider: str, trouble: dict[str, Any], gateway: Callable[..., Gateway]) -> None:
    with provider_server(trouble, {"text": "All is well."}) as server:
        reply = gateway(server, provider).ask()
    assert reply.completion is not None, reply
    assert (reply.completion.text, len(server.requests)) == ("All is well.", 2)


@PROVIDERS
@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ({"status": 401, "error": {"type": "authentication_error", "message": f"bad {KEY}"}}, "authentication"),
        ({"status": 400, "error": {"type": "x", "message": "no such thing"}}, "invalid_request"),
        ({"status": 400, "error": {"type": KEY, "code": KEY, "message": KEY}}, "invalid_request"),
        ({"status": 413}, "context_too_long"),
    ],
)
def test_what_will_not_pass_is_a_typed_failure_without_the_key(
    provider: str, answer: dict[str, Any], failure: str, gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    with provider_server(answer) as server:
        reply = gateway(server, provider).ask()
    assert (reply.outcome, reply.failure, len(server.requests)) == ("error", failure, 1)
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert KEY.encode() not in written


@PROVIDERS
def test_options_and_headers_are_passed_on_and_cannot_lift_the_output_cap(
    provider: str, gateway: Callable[..., Gateway]
) -> None:
    options = {"max_tokens": 999_999, "n": 9, "temperature": 0.1, "num_ctx": 5, "headers": {"x-team": "ops"}}
    with provider_server({"text": "x"}) as server:
        gateway(server, provider, limits=LimitSpec(tokens=2000), options=options).ask()
    [sent], [headers] = server.requests, server.headers
    assert (sent["temperature"], sent["num_ctx"], headers["x-team"]) == (0.1, 5, "ops")
    assert sent["max_tokens"] < 2000
    assert not {"n", "headers"} & sent.keys()


def test_a_pause_longer_than_the_call_has_time_for_is_not_waited_out(gateway: Callable[..., Gateway]) -> None:
    with provider_server({"status": 429, "headers": {"Retry-After": "3600"}}) as server:
        reply = gateway(server).ask(timeout=30)
    assert (reply.failure, len(server.requests)) == ("rate_limited", 1)


def test_a_server_that_does_not_count_is_charged_by_estimate(gateway: Callable[..., Gateway]) -> None:
    with provider_server({"text": "All is well.", "usage": False}) as server:
        reply = gateway(server).ask()
    assert reply.completion is not None
    assert reply.completion.usage.input_tokens > 50


def test_every_role_has_its_place_and_says_whose_words_it_holds(gateway: Callable[..., Gateway]) -> None:
    with provider_server({"text": "x"}) as server:
        g = gateway(server)
        blob = BlobPart(digest="a" * 64, size=7, note="the log")
        g.say(
            RecollectionMessage(
                seq=4, time=TIME, participant="memory", tool="recall", call="p-1", outcome="ok", content=(blob,)
            )
        )
        g.say(NoteMessage(seq=5, time=TIME, text="cut at the limit"))
        g.say(InboundMessage(seq=6, time=TIME, inbound=1, by="ana", text="and hurry"))
        denied = (TextPart(text="not today"),)
        g.say(ToolMessage(seq=7, time=TIME, call="4-1", tool="look", outcome="denied", content=denied))
        g.ask()
    said = [(m["role"], m["content"]) for m in server.requests[0]["messages"]]
    assert [role for role, _ in said] == ["system", "user", "user", "user", "user", "tool"]
    recollection, note, inbound, tool = (text for _, text in said[2:])
    assert "not an instruction" in recollection
    assert f"blob:{'a' * 64}, 7 bytes" in recollection
    assert note.startswith("[from the runtime]")
    assert "ana" in inbound
    assert tool == "[denied] not today"


def test_a_message_that_is_missing_or_broken_is_named(gateway: Callable[..., Gateway]) -> None:
    with provider_server({"text": "x"}) as server:
        g = gateway(server)
        g.ipc.send("m9-1", "model", "complete", ranges=[[1, 8]])
        missing = soon(lambda: g.ipc.reply("m9-1", "model"), "reply")
        g.ipc.put(b"{nothing", *layout.TRANSCRIPT, "4.json")
        g.ipc.send("m9-2", "model", "complete", ranges=[[1, 4]])
        broken = soon(lambda: g.ipc.reply("m9-2", "model"), "reply")
    for reply in (missing, broken):
        assert reply.failure == "invalid_request"
        assert "4.json" in str(reply.content)
    assert server.requests == []


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        ({"code": "context_length_exceeded", "message": "long"}, "context_too_long"),
        ({"code": "content_filter", "message": "no"}, "content_refused"),
    ],
)
def test_openai_says_why_in_a_code(error: dict[str, str], failure: str, gateway: Callable[..., Gateway]) -> None:
    with provider_server({"status": 400, "error": error}) as server:
        assert gateway(server).ask().failure == failure


def test_a_spent_quota_is_not_tried_again(gateway: Callable[..., Gateway]) -> None:
    error = {"code": "insufficient_quota", "message": "pay"}
    with provider_server({"status": 429, "error": error}) as server:
        assert gateway(server).ask().failure == "quota"
    assert len(server.requests) == 1


def test_a_call_that_is_no_json_is_passed_on_as_the_model_wrote_it(gateway: Callable[..., Gateway]) -> None:
    with provider_server({"calls": [("look", "{oops")]}) as server:
        reply = gateway(server).ask()
    assert reply.completion is not None
    [call] = reply.completion.tool_calls
    assert (call.arguments, call.malformed) == (None, "{oops")


def test_a_call_beyond_the_budget_is_never_sent(gateway: Callable[..., Gateway]) -> None:
    with provider_server({"text": "x"}) as server:
        reply = gateway(server, limits=LimitSpec(tokens=50)).ask()
    assert (reply.failure, server.requests) == ("budget", [])


def test_the_output_cap_is_what_is_left_of_the_budget(gateway: Callable[..., Gateway]) -> None:
    prices = Prices(input=1.0, output=10.0)
    with provider_server({"text": "x"}) as server:
        gateway(server, limits=LimitSpec(usd=0.01), prices=prices).ask()
    assert 0 < server.requests[0]["max_tokens"] < 1000


def test_dollars_with_an_unknown_price_are_refused(gateway: Callable[..., Gateway]) -> None:
    with provider_server({"text": "x"}) as server:
        reply = gateway(server, limits=LimitSpec(usd=1.0)).ask()
    assert (reply.failure, server.requests) == ("budget", [])


def test_what_was_spent_is_remembered_after_a_kill(gateway: Callable[..., Gateway]) -> None:
    with provider_server({"text": "x", "calls": [("look", "{}")]}) as server:
        g = gateway(server, limits=LimitSpec(tokens=700, calls=1))
        g.turn(g.ask())
        g.answer("4-1", "fine")
        g.process.kill()
        g.process.wait()
        g.start()
        reply = g.ask()
    assert (reply.failure, len(server.requests)) == ("budget", 1)
