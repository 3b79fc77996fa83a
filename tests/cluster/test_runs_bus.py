"""What the controller has of the bus: long answers whole, Cancel said to the agent, an answer begins an attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Status
from sympozium_protocol.bus.link import connected
from sympozium_protocol.bus.settings import BusSettings
from sympozium_protocol.files import digest
from sympozium_protocol.messages.calls import Question
from sympozium_protocol.messages.console import Answer, Cancel
from sympozium_protocol.messages.result import RunResult
from sympozium_protocol.messages.termination import Termination
from tests.support.bus import Bridge, go, spec_of
from tests.support.cluster import Cluster
from tests.support.cluster_definitions import define_kinds
from tests.support.controlling import Operator, Place, operating, until
from tests.support.ipc import NOW
from tests.support.nats import NatsServer
from tests.support.nats_fixtures import nats_binary, shared_nats

__all__ = ["nats_binary", "shared_nats"]


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[Place]:
    define_kinds(cluster)
    with cluster.namespace() as name:
        found = Place(cluster, name)
        found.instance()
        yield found


@pytest.fixture(scope="module")
def controller(place: Place, shared_nats: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    folder = tmp_path_factory.mktemp("controller")
    with operating(place.cluster, place.namespace, folder, SYMPOZIUM_BUS=shared_nats.url) as found:
        yield found


def bridge(nats: NatsServer, place: Place, name: str) -> Bridge:
    """The gate of a run that has a pod."""
    return Bridge(nats.url, spec_of(place.status(name)["run"], namespace=place.namespace))


def result(run: str, output: str, **changes: Any) -> RunResult:
    whole = {
        "run": run,
        "phase": "Succeeded",
        "reason": "Completed",
        "output": output,
        "output_size": len(output.encode()),
        "output_digest": digest(output.encode()),
        "start_time": NOW,
        "completion_time": NOW,
    }
    return RunResult.model_validate({**whole, **changes})


def question(id: str, tool: str) -> Question:
    """What a gate asks about a call of the participant ``subject``."""
    return Question(
        id=id,
        participant="subject",
        tool=tool,
        arguments={"secret": "hunter2"},
        effect="write",
        digest="a" * 64,
        reason="policy default asks",
        time=NOW,
        expires=NOW,
    )


@pytest.mark.parametrize("where", ["result", "blob"])
def test_an_answer_that_fits_no_termination_message_is_read_from_the_stream(
    place: Place, controller: Operator, shared_nats: NatsServer, where: str
) -> None:
    name, output = f"long-{where}", "".join(f"line {number}\n" for number in range(1500))
    place.run(name)
    pod = place.pod(name)
    until("the run has an id", lambda: place.status(name).get("run"))

    async def say() -> RunResult:
        async with bridge(shared_nats, place, name) as gate:
            told = result(gate.run.run, output)
            if where == "blob":
                await gate.say(f"agent/blobs/{digest(output.encode())}", output.encode())
                told = told.model_copy(update={"output": output[:50]})
            await gate.say("agent/result.json", told)
            return told.model_copy(update={"output": output})

    message = Termination.of(go(say()))
    place.ends(pod, message)
    status = place.becomes(name, "Succeeded")
    assert len(output) < 16 << 10
    assert status["output"] == output
    assert (status["outputSize"], status["outputDigest"]) == (len(output), digest(output.encode()))


def test_an_answer_that_is_not_what_the_agent_named_is_not_taken_for_it(
    place: Place, controller: Operator, shared_nats: NatsServer
) -> None:
    place.run("false")
    pod = place.pod("false")
    until("the run has an id", lambda: place.status("false").get("run"))

    async def say() -> None:
        async with bridge(shared_nats, place, "false") as gate:
            await gate.say("agent/result.json", result(gate.run.run, "another answer"))

    go(say())
    place.ends(pod, Termination.of(result("x", "y" * 9000)))
    output = place.becomes("false", "Succeeded")["output"]
    assert output.startswith("yyy")
    assert output.endswith("[cut: the whole has 9000 bytes]")


def test_cancel_is_said_to_the_agent_which_tells_how_far_it_came(
    place: Place, controller: Operator, shared_nats: NatsServer
) -> None:
    place.run("told")
    pod = place.pod("told")
    place.begins(pod)
    place.becomes("told", "Running")

    async def cancelled() -> Cancel:
        async with bridge(shared_nats, place, "told") as gate:
            place.run("told", cancel=True)
            async with connected(BusSettings(shared_nats.url), principal="test") as link:
                return await _heard(link, gate)

    word = go(cancelled())
    assert word.by == "sympozium-controller"
    place.ends(pod, Termination(reason="Cancelled", message="as asked", output="so far", output_size=6), 50)
    status = place.becomes("told", "Cancelled")
    assert (status["output"], status["message"]) == ("so far", "as asked")


async def _heard(link: Any, gate: Bridge) -> Cancel:
    from sympozium_protocol.bus.reader import open_reader

    reader = await open_reader(link, gate.run)
    while True:
        message = await reader.next()
        if ".said.cancel." in message.subject:
            return Cancel.decode(message.data)


async def judged(found: Bridge, asks: str = "") -> None:
    """Its gate asked about a call, which was judged since, and about ``asks``, which was not."""
    async with found as gate:
        await gate.say("bridge/questions/subject/2-1.json", question("2-1", "look"))
        await gate.say("bridge/verdicts/subject/2-1.json", b"{}")
        if asks:
            await gate.say(f"bridge/questions/subject/{asks}.json", question(asks, "change"))


def test_an_answer_over_the_bus_begins_the_next_attempt(
    place: Place, controller: Operator, shared_nats: NatsServer
) -> None:
    place.run("asked")
    pod = place.pod("asked")
    until("the run has an id", lambda: place.status("asked").get("run"))

    go(judged(bridge(shared_nats, place, "asked"), asks="3-1"))
    place.ends(pod, Termination(reason="Suspended", message="nobody answered"), 51)
    told = place.becomes("asked", "Waiting", "Suspended")["message"]
    assert "an answer to subject/3-1 (change), and another begins" in told
    assert told.endswith(f"sympozium approve asked 3-1 --on cluster -n {place.namespace} (or deny)")
    assert place.is_told("asked", "Suspended") == ("Normal", "Suspended", told)

    async def answer() -> None:
        gate = bridge(shared_nats, place, "asked")
        word = Answer(participant="subject", id="3-1", digest="a" * 64, decision="allow", by="ada", time=NOW)
        async with connected(BusSettings(shared_nats.url), principal="test") as link:
            await link.request(subjects.said(gate.run, "answer", "ada"), word.encode())

    asyncio.run(answer())
    place.pod("asked", attempt=2)


def test_a_run_whose_pod_was_told_to_end_and_that_asks_nobody_ends(
    place: Place, controller: Operator, shared_nats: NatsServer
) -> None:
    place.run("told-to-end")
    pod = place.pod("told-to-end")
    until("the run has an id", lambda: place.status("told-to-end").get("run"))

    go(judged(bridge(shared_nats, place, "told-to-end")))
    place.ends(pod, Termination(reason="Suspended", message="told to end"), 51)
    assert place.becomes("told-to-end", "Failed")["reason"] == "Evicted"


def test_a_run_whose_gate_waits_for_a_person_is_waiting_and_then_runs_on(
    place: Place, controller: Operator, shared_nats: NatsServer
) -> None:
    place.run("gated")
    place.begins(place.pod("gated"))
    place.becomes("gated", "Running")

    async def ask() -> None:
        async with bridge(shared_nats, place, "gated") as gate:
            await gate.say("bridge/questions/ops/3-1.json", question("3-1", "kubectl_delete"))

    async def say(phase: Literal["Waiting", "Running"], *waiting: str) -> None:
        gate = bridge(shared_nats, place, "gated")
        told = Status(run=gate.run.run, phase=phase, waiting=waiting)
        async with connected(BusSettings(shared_nats.url), principal="test") as link:
            await link.publish(subjects.status(gate.run), told.encode())

    go(ask())
    asyncio.run(say("Waiting", "ops/3-1", "\x1b[2J no call", "ops/" + "x" * 5000))
    status = place.becomes("gated", "Waiting", "ApprovalRequired")
    how = f"sympozium approve gated 3-1 --on cluster -n {place.namespace} (or deny)"
    assert status["waitingFor"] == "Answer"
    assert status["message"] == f"it waits for an answer to ops/3-1 (kubectl_delete): {how}"
    assert place.is_told("gated", "ApprovalRequired") == ("Normal", "ApprovalRequired", status["message"])
    asyncio.run(say("Running"))
    assert place.becomes("gated", "Running")["waitingFor"] == ""


def test_a_bus_that_is_away_does_not_keep_a_run_from_ending(place: Place, tmp_path: Path, cluster: Cluster) -> None:
    with cluster.namespace() as name, operating(cluster, name, tmp_path, SYMPOZIUM_BUS="nats://127.0.0.1:9"):
        alone = Place(cluster, name)
        alone.instance()
        alone.run("lonely")
        alone.ends(alone.pod("lonely"), Termination.of(result("x", "y" * 9000)))
        assert alone.becomes("lonely", "Succeeded")["output"].endswith("[cut: the whole has 9000 bytes]")
