"""A real gate and real services: what a run in a pod sees of participants elsewhere, whoever of them is killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sympozium_protocol.messages import ModelSpec, ParticipantSpec, Reply, ToolSpec
from tests.support.bus import Copy, done, words
from tests.support.bus_pod import Outside, Pod, spec_of, until
from tests.support.nats import NatsServer
from tests.support.participant import NAMES
from tests.support.provider_server import ProviderServer, provider_server

GATEWAY = Path(sys.executable).with_name("sympozium-model")
SUBJECT = ParticipantSpec(
    name="subject",
    placement="bus",
    tools=tuple(ToolSpec(name=name, effect="write" if name == "gate" else "read") for name in NAMES),
)
MODEL = ParticipantSpec(
    name="model", role="model", placement="bus", service="gateway", tools=(ToolSpec(name="complete"),)
)


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    with provider_server({"text": "an answer"}) as server:
        yield server


@pytest.fixture
def pod(tmp_path: Path, nats_server: NatsServer, provider: ProviderServer) -> Iterator[Pod]:
    outside = Outside(nats_server.url)
    outside.make_stream()
    model = ModelSpec(provider="openai", model="m", base_url=f"{provider.url}/v1")
    spec = spec_of("pod", participants=(SUBJECT, MODEL), model=model)
    outside.begin(spec)
    with Pod(tmp_path / "ipc", spec, nats_server.url) as made:
        yield made


@pytest.fixture
def copies(tmp_path: Path, nats_server: NatsServer) -> Iterator[list[Copy]]:
    """Two of the subject; killed at the end, with whatever a test adds."""
    made = [Copy(tmp_path, nats_server.url) for _ in range(2)]
    try:
        asyncio.run(made[0].ready(2))
        yield made
    finally:
        for copy in made:
            copy.kill()


def gateway(tmp_path: Path, nats: NatsServer, provider: ProviderServer) -> Copy:
    folder = tmp_path / "gateway"
    folder.mkdir()
    words = ("--bus", "--service", "gateway", "--provider", "openai", "--base-url", f"{provider.url}/v1")
    return Copy(folder, nats.url, GATEWAY, *words)


def reply_of(pod: Pod, call: str, participant: str = "subject") -> Reply:
    file = pod.path / f"{participant}/replies/{call}.json"
    until(file.exists, pod.said())
    return Reply.decode(file.read_bytes())


def test_calls_from_files_are_answered_from_elsewhere_as_files(pod: Pod, copies: list[Copy]) -> None:
    pod.message()
    for number in range(1, 21):
        pod.call(f"{number}-1", "echo", "subject", text=str(number))
    assert [words(reply_of(pod, f"{number}-1")) for number in range(1, 21)] == [str(n) for n in range(1, 21)]


def test_a_call_whose_copy_is_killed_is_taken_over_by_another_and_is_interrupted_if_it_writes(
    pod: Pod, copies: list[Copy], tmp_path: Path, nats_server: NatsServer
) -> None:
    pod.message()
    pod.call("1-1", "gate", "subject", until="/nowhere")
    until(lambda: done(tmp_path))
    for copy in copies:
        copy.kill()
    copies.append(Copy(tmp_path, nats_server.url))
    assert reply_of(pod, "1-1").outcome == "interrupted"
    assert done(tmp_path) == ["1-1"]


def test_a_call_that_the_agent_withdraws_is_stopped_elsewhere(pod: Pod, copies: list[Copy], tmp_path: Path) -> None:
    pod.message()
    pod.call("1-1", "gate", "subject", until="/nowhere")
    until(lambda: done(tmp_path))
    (pod.path / "agent/withdrawn/subject/1-1").touch()
    assert reply_of(pod, "1-1").outcome == "cancelled"


def test_an_answer_of_the_model_that_was_paid_for_outlives_gate_and_gateway(
    pod: Pod, tmp_path: Path, nats_server: NatsServer, provider: ProviderServer
) -> None:
    first = gateway(tmp_path, nats_server, provider)
    try:
        asyncio.run(first.ready())
        pod.message()
        pod.call("m2-1", "complete", "model", ranges=[[1, 1]])
        until(lambda: provider.requests)
        pod.kill()
        outside = Outside(nats_server.url)
        lane = "sympozium.run.default.pod.elsewhere.model.m2-1"
        until(lambda: sum(message.subject == lane for message in outside.messages(pod.run)) == 2)
    finally:
        first.kill()
    pod.start()
    reply = reply_of(pod, "m2-1", "model")
    assert reply.completion is not None
    assert reply.completion.text == "an answer"
    assert len(provider.requests) == 1
