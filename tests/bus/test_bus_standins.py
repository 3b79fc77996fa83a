"""Participants that live elsewhere: the agent sees files, as of any other, and each call is answered once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from sympozium_protocol.messages import Manifest, ParticipantSpec, Reply, TextPart, Tool, ToolSpec
from tests.support.bus_pod import Outside, Pod, spec_of, until
from tests.support.bus_service import Service
from tests.support.nats import NatsServer

_numbers = itertools.count(1)
FAR = ParticipantSpec(
    name="far",
    placement="bus",
    service="distant",
    tools=(ToolSpec(name="look", effect="read"), ToolSpec(name="change")),
)
CHANNELS = ParticipantSpec(
    name="channels", role="channel", placement="bus", tools=(ToolSpec(name="send_channel_message"),)
)
GATEWAY = ParticipantSpec(
    name="model", role="model", placement="bus", service="gateway", tools=(ToolSpec(name="complete"),)
)


@pytest.fixture
def pod(tmp_path: Path, shared_nats: NatsServer) -> Iterator[Pod]:
    outside = Outside(shared_nats.url)
    outside.make_stream()
    spec = spec_of(f"r{next(_numbers)}", participants=(FAR, CHANNELS, GATEWAY))
    outside.begin(spec)
    with Pod(tmp_path / "ipc", spec, shared_nats.url) as made:
        yield made


@pytest.fixture
def service(shared_nats: NatsServer) -> Iterator[Service]:
    tools = (Tool(name="look", description="Look."), Tool(name="change"), Tool(name="smuggled"))
    with Service(shared_nats.url, "distant", tools) as found:
        yield found


def reply_of(pod: Pod, call: str, participant: str = "far") -> Reply:
    file = pod.path / f"{participant}/replies/{call}.json"
    until(file.exists, pod.said())
    return Reply.decode(file.read_bytes())


def words(reply: Reply) -> str:
    return "".join(part.text for part in reply.content if isinstance(part, TextPart))


def test_a_call_goes_out_with_its_verdict_and_comes_back_as_files(pod: Pod, service: Service) -> None:
    pod.message()
    data = pod.call("1-1", "change", "far")
    heard = service.next()
    assert heard.request.call.encode() == data
    assert heard.request.verdict.encode() == (pod.path / "bridge/verdicts/far/1-1.json").read_bytes()
    assert pod.has("far/started/1-1")
    in_stream = [found.path for found in Outside(service.url).files(pod.run)]
    assert in_stream[-1] == "bridge/verdicts/far/1-1.json"
    service.start(heard)
    service.progress(heard, b"half")
    until(lambda: pod.has("far/progress/1-1"))
    service.reply(heard, "there")
    assert words(reply_of(pod, "1-1")) == "there"
    until(lambda: not pod.has("far/progress/1-1"))


def test_its_tools_are_those_that_the_run_knows(pod: Pod, service: Service) -> None:
    until(lambda: pod.has("far/tools/1.json"))
    found = Manifest.decode((pod.path / "far/tools/1.json").read_bytes())
    assert [tool.name for tool in found.tools] == ["look", "change"]


def test_with_nobody_there_a_call_is_unavailable_soon(pod: Pod) -> None:
    pod.message()
    pod.call("1-1", "send_channel_message", "channels", channel="ops", text="hello")
    found = reply_of(pod, "1-1", "channels")
    assert found.outcome == "unavailable"
    assert "Nobody on the bus" in words(found)
    tools = Manifest.decode((pod.path / "channels/tools/1.json").read_bytes()).tools
    assert [tool.name for tool in tools] == ["send_channel_message"]
    assert tools[0].parameters["required"] == ["channel", "text"]


def test_what_a_run_waits_for_is_said_where_the_agent_reads_it(pod: Pod) -> None:
    until(lambda: pod.has("far/unready"))
    assert (pod.path / "far/unready").read_text() == "nobody on the bus answers for it (distant)"


def test_a_model_is_waited_for_while_its_gateway_is_replaced(pod: Pod, shared_nats: NatsServer) -> None:
    data = pod.call("m1-1", "complete", "model")
    pod.verdict("m1-1", "model")
    until(lambda: pod.has("model/started/m1-1"))
    assert not pod.has("model/replies/m1-1.json")
    with Service(shared_nats.url, "gateway") as gateway:
        heard = gateway.next()
        assert heard.request.call.encode() == data
        gateway.reply(heard, "here")
        assert words(reply_of(pod, "m1-1", "model")) == "here"


def test_a_service_that_takes_nothing_says_why(pod: Pod, shared_nats: NatsServer) -> None:
    with Service(shared_nats.url, "distant", turns="It is full.") as full:
        pod.call("1-1", "change", "far")
        full.next()
        found = reply_of(pod, "1-1")
        assert (found.outcome, words(found)) == ("unavailable", "It is full.")


def test_a_gate_that_is_killed_meanwhile_takes_up_what_was_asked(pod: Pod, service: Service) -> None:
    pod.call("1-1", "change", "far")
    heard = service.next()
    service.start(heard)
    pod.kill()
    service.reply(heard, "meanwhile")
    pod.start()
    assert words(reply_of(pod, "1-1")) == "meanwhile"
    assert service.heard.empty()


def test_a_withdrawn_call_is_told_of_until_it_is_answered(pod: Pod, service: Service) -> None:
    pod.call("1-1", "change", "far")
    heard = service.next()
    service.start(heard)
    (pod.path / "agent/withdrawn/far/1-1").touch()
    assert service.withdrawn.get(timeout=20) == "1-1"
    assert service.withdrawn.get(timeout=20) == "1-1"
    service.reply(heard, "stopped", outcome="cancelled")
    assert reply_of(pod, "1-1").outcome == "cancelled"


def test_a_call_that_nobody_had_is_withdrawn_at_once(pod: Pod) -> None:
    pod.call("m1-1", "complete", "model")
    until(lambda: pod.has("model/started/m1-1"))
    (pod.path / "agent/withdrawn/model/m1-1").touch()
    assert reply_of(pod, "m1-1", "model").outcome == "cancelled"


def test_who_falls_silent_is_asked_again_so_that_another_can_take_over(pod: Pod, service: Service) -> None:
    pod.call("1-1", "look", "far")
    first = service.next()
    service.start(first)
    again = service.next()
    assert (first.request.again, again.request.again) == (False, True)
    service.reply(first, "late, but the first")
    assert words(reply_of(pod, "1-1")) == "late, but the first"


def test_a_reply_to_another_call_is_refused_and_counted(pod: Pod, service: Service) -> None:
    pod.call("1-1", "look", "far")
    heard = service.next()
    service.reply(heard, digest="0" * 64)
    until(lambda: "is the reply to another call" in pod.said())
    assert not pod.has("far/replies/1-1.json")
    service.reply(heard, "right")
    assert words(reply_of(pod, "1-1")) == "right"
