"""A run's own gate, with a token of its run and nothing more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Records, record_parts
from sympozium_protocol.bus.gather import Gatherer
from sympozium_protocol.bus.reader import open_reader
from sympozium_protocol.bus.tokens import LauncherIdentity, PersonIdentity, RunIdentity
from sympozium_protocol.bus.writer import append
from sympozium_protocol.messages import Answer, PolicySpec, RunSpec
from tests.support.bus_auth import GuardedBus, guarded_bus
from tests.support.bus_pod import Pod, spec_of, until


@pytest.fixture(scope="module")
def bus(nats_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedBus]:
    with guarded_bus(tmp_path_factory.mktemp("bus")) as found:
        yield found


async def begin(bus: GuardedBus, spec: RunSpec) -> None:
    """Publish the RunSpec, as whoever makes pods."""
    link = await bus.connect(LauncherIdentity(name="laptop", namespaces=(spec.namespace,)))
    data = Records(writer="launcher", records=tuple(record_parts("run/run.json", spec.encode()))).encode()
    await append(link, subjects.records(subjects.RunKey.of(spec)), data, last=0)
    await link.close()


async def approve(bus: GuardedBus, spec: RunSpec, answer: Answer) -> None:
    """Who says it stands in the subject; she may do nothing else."""
    link = await bus.connect(PersonIdentity(name="Ada", namespaces=(spec.namespace,), verbs=("answer",)))
    await append(link, subjects.said(subjects.RunKey.of(spec), "answer", "Ada"), answer.encode(), last=0)
    await link.close()


async def paths(bus: GuardedBus, spec: RunSpec) -> set[str]:
    """The files that the stream has of the run, for who may only read."""
    link = await bus.connect(PersonIdentity(name="Bob", namespaces=(spec.namespace,), verbs=("get",)))
    run = subjects.RunKey.of(spec)
    reader, gatherer = await open_reader(link, run), Gatherer(run)
    messages = [await reader.next() for _ in range(reader.pending)]
    await link.close()
    return {found.path for message in messages for found in gatherer.take(message)}


def test_a_gate_publishes_its_run_and_hears_an_approval_of_who_may_give_it(bus: GuardedBus, tmp_path: Path) -> None:
    ask = PolicySpec(name="careful", template="Default")
    spec = spec_of("gated", policies=(ask,))
    asyncio.run(begin(bus, spec))
    settings = bus.settings(RunIdentity(namespace=spec.namespace, run=spec.run))
    with Pod(tmp_path / "ipc", spec, bus.server.url, SYMPOZIUM_BUS_TOKEN_FILE=str(settings.token_file)) as pod:
        pod.message()
        pod.call("1-1", tool="change")
        answer = pod.answer(pod.question("1-1"))
        asyncio.run(approve(bus, spec, answer))
        verdict = pod.verdict("1-1")
        assert (verdict.decision, verdict.by) == ("allow", "person:Ada")
        wanted = {"run/run.json", "agent/transcript/1.json", "agent/calls/ops/1-1.json", "bridge/verdicts/ops/1-1.json"}
        until(lambda: wanted <= asyncio.run(paths(bus, spec)), f"the stream has the run: {pod.said()}")
        assert "permissions violation" not in pod.said().lower()
