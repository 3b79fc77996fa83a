"""The gate publishes what a run is: each file once, in order, whatever is killed or cut meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Status
from sympozium_protocol.bus.link import Link, Message
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.clock import utc
from sympozium_protocol.exits import Reason
from sympozium_protocol.files import digest
from sympozium_protocol.messages import BlobPart, Cancel, FollowUp, Inbound, PolicySpec, Reply
from tests.support.bus_pod import NOW, Outside, Pod, spec_of, until
from tests.support.nats import NatsServer

_numbers = itertools.count(1)


@pytest.fixture
def outside(nats_server: NatsServer) -> Outside:
    found = Outside(nats_server.url)
    found.make_stream()
    return found


@pytest.fixture
def pod(tmp_path: Path, nats_server: NatsServer, outside: Outside) -> Iterator[Callable[..., Pod]]:
    made: list[Pod] = []

    def make(name: str = "ipc", *, begun: bool = True, **changes: object) -> Pod:
        spec = spec_of(f"r{next(_numbers)}", **changes)
        if begun:
            outside.begin(spec)
        made.append(Pod(tmp_path / name, spec, nats_server.url))
        return made[-1]

    yield make
    for one in made:
        if one.gate is not None:
            one.kill()


def paths(outside: Outside, run: RunKey) -> list[str]:
    return [found.path for found in outside.files(run)]


def one_step(pod: Pod, seq: int, tool: str = "look") -> list[str]:
    """A message that asks, its call, verdict and reply; their paths in the order in which they belong."""
    pod.message()
    assert pod.seq == seq
    data = pod.call(f"{seq}-1", tool)
    assert pod.verdict(f"{seq}-1").decision == "allow"
    pod.reply(f"{seq}-1", data)
    return [
        f"agent/transcript/{seq}.json",
        f"agent/calls/ops/{seq}-1.json",
        f"bridge/verdicts/ops/{seq}-1.json",
        f"ops/replies/{seq}-1.json",
    ]


def test_a_run_is_in_the_stream_as_it_happened(pod: Callable[..., Pod], outside: Outside) -> None:
    with pod() as run:
        expected = ["run/run.json"]
        for seq in range(1, 6):
            expected += one_step(run, seq, "change" if seq % 2 else "look")
        run.message("the end")
        run.result()
        until(lambda: run.has("bridge/durable") and b"true" in (run.path / "bridge/durable").read_bytes())
        found = outside.files(run.run)
    assert [one.path for one in found] == [*expected, "agent/transcript/6.json", "agent/result.json"]
    assert all(one.data == (run.path / one.path).read_bytes() for one in found)


def test_a_write_waits_for_the_stream_and_a_read_does_not(
    pod: Callable[..., Pod], outside: Outside, nats_server: NatsServer
) -> None:
    with pod() as run:
        one_step(run, 1, "change")
        nats_server.pause()
        run.message()
        run.call("2-1", "look")
        run.call("2-2", "change")
        assert run.verdict("2-1").decision == "allow"
        run.message()
        run.call("3-1", "look")
        assert run.verdict("3-1").decision == "allow"
        assert not run.has("bridge/verdicts/ops/2-2.json")
        nats_server.go_on()
        assert run.verdict("2-2").decision == "allow"
        until(lambda: paths(outside, run.run)[-1] != "run/run.json")
        found = paths(outside, run.run)
        assert "bridge/verdicts/ops/2-2.json" in found
        assert len(found) == len(set(found))


@pytest.mark.parametrize(
    "point", ["before-publish#2", "published#1", "published#2", "published#3", "before-verdict#2", "verdict#2"]
)
def test_a_gate_killed_at_any_point_leaves_no_gap_and_no_repeat(
    point: str, pod: Callable[..., Pod], outside: Outside, tmp_path: Path
) -> None:
    run = pod()
    run.start(SYMPOZIUM_FAILPOINT=f"{point}@{tmp_path / 'mark'}")
    expected = ["run/run.json"]
    for seq in (1, 2, 3):
        run.message()
        run.call(f"{seq}-1", "change")
        until(lambda: run.has(f"bridge/verdicts/ops/{seq}-1.json") or (run.gate and run.gate.poll() is not None))  # noqa: B023
        if run.gate and run.gate.poll() is not None:
            run.start()
        data = (run.path / f"agent/calls/ops/{seq}-1.json").read_bytes()
        run.verdict(f"{seq}-1")
        run.reply(f"{seq}-1", data)
        expected += [f"agent/transcript/{seq}.json", f"agent/calls/ops/{seq}-1.json"]
        expected += [f"bridge/verdicts/ops/{seq}-1.json", f"ops/replies/{seq}-1.json"]
    assert (tmp_path / "mark").exists()
    until(lambda: paths(outside, run.run)[-1] == expected[-1])
    assert paths(outside, run.run) == expected
    stored = {one.path: one.data for one in outside.files(run.run)}
    assert all(data == (run.path / path).read_bytes() for path, data in stored.items())


def test_a_server_that_is_killed_again_and_again_loses_nothing(
    pod: Callable[..., Pod], outside: Outside, nats_server: NatsServer
) -> None:
    with pod() as run:
        expected = ["run/run.json"]
        for seq in range(1, 8, 2):
            expected += one_step(run, seq, "change")
            nats_server.kill()
            expected += one_step(run, seq + 1, "look")
            nats_server.start()
        until(lambda: paths(outside, run.run)[-1] == expected[-1], run.said())
        assert paths(outside, run.run) == expected


def test_a_full_stream_stops_what_writes_until_there_is_room_again(pod: Callable[..., Pod], outside: Outside) -> None:
    outside.make_stream(size=200_000)
    with pod() as run:
        one_step(run, 1, "change")
        while "takes no more" not in run.said():
            run.message("x" * 20_000)
        run.call("2-1", "look")
        run.call("2-2", "change")
        assert run.verdict("2-1").decision == "allow"
        assert not run.has("bridge/verdicts/ops/2-2.json")
        outside.make_stream(size=100_000_000)
        assert run.verdict("2-2").decision == "allow"
        found = paths(outside, run.run)
        assert found.index("bridge/verdicts/ops/2-2.json") > found.index(f"agent/transcript/{run.seq}.json")
        assert len(found) == len(set(found))


def test_a_second_gate_of_the_same_run_ends_with_a_typed_reason(pod: Callable[..., Pod], tmp_path: Path) -> None:
    with pod() as run:
        one_step(run, 1, "change")
        second = Pod(tmp_path / "second", run.spec, run.env["SYMPOZIUM_BUS"]).start()
        assert second.ended() == Reason.RunLocked
        assert "another gate" in second.said()
        one_step(run, 2, "change")


def test_what_people_say_over_the_bus_arrives_once_whatever_restarts(pod: Callable[..., Pod], outside: Outside) -> None:
    with pod() as run:
        one_step(run, 1)
        outside.say(run.run, FollowUp(text="more", by="forged", time=utc(NOW)), "send", "ann")
        until(lambda: run.has("bridge/inbox/1.json"))
        run.kill()
        outside.say(run.run, Cancel(reason="enough", by="forged", time=utc(NOW)), "cancel", "bea")
        run.start()
        until(lambda: run.has("bridge/inbox/2.json"))
        one_step(run, 2)
        found = [Inbound.decode((run.path / f"bridge/inbox/{n}.json").read_bytes()) for n in (1, 2)]
        assert [(one.type, one.text, one.by) for one in found] == [
            ("message", "more", "ann"),
            ("cancel", "enough", "bea"),
        ]
        assert all(one.time != utc(NOW) for one in found)
        assert not run.has("bridge/inbox/3.json")


def test_an_approval_comes_over_the_bus_with_the_name_of_its_subject(pod: Callable[..., Pod], outside: Outside) -> None:
    with pod(policies=(PolicySpec(name="careful", template="Default"),)) as run:
        run.message()
        run.call("1-1", "change")
        question = run.question("1-1")
        outside.say(run.run, run.answer(question), "answer", "ann")
        verdict = run.verdict("1-1")
        assert (verdict.decision, verdict.by) == ("allow", "person:ann")


def test_who_comes_to_listen_after_a_question_hears_of_it_and_of_its_answer(
    pod: Callable[..., Pod], outside: Outside
) -> None:
    with pod(policies=(PolicySpec(name="careful", template="Default"),)) as run:
        run.message()
        run.call("1-1", "change")
        question = run.question("1-1")
        until(lambda: outside.last(run.run) == "bridge/questions/ops/1-1.json")

        async def next_status(link: Link) -> Status:
            heard: asyncio.Queue[Message] = asyncio.Queue()
            await link.subscribe(subjects.status(run.run), heard.put)
            return Status.decode(bytes((await asyncio.wait_for(heard.get(), 40)).data))

        while not (status := outside.do(next_status)).waiting:
            pass
        assert (status.phase, status.waiting) == ("Waiting", ("ops/1-1",))
        outside.say(run.run, run.answer(question), "answer", "ann")
        run.verdict("1-1")
        while (status := outside.do(next_status)).waiting:
            pass
        assert status.phase == "Running"


def test_what_cannot_be_used_is_refused_and_counted(pod: Callable[..., Pod], outside: Outside) -> None:
    with pod(policies=(PolicySpec(name="careful", template="Default"),)) as run:
        run.message()
        run.call("1-1", "change")
        question = run.question("1-1")
        outside.say(run.run, run.answer(question), "send")
        outside.do(lambda link: link.request(f"sympozium.run.{run.run}.said.answer.YW5u", b"{"))
        outside.do(lambda link: link.request(f"sympozium.run.{run.run}.said.answer.YW5u", b"x" * 600_000))
        outside.do(lambda link: link.request(f"sympozium.run.{run.run}.said.shout.YW5u", b"{}"))
        until(lambda: '"refused": 4' in run.said(), run.said())
        assert not run.has("bridge/verdicts/ops/1-1.json")


def test_a_gate_that_is_told_to_end_publishes_what_is_left(
    pod: Callable[..., Pod], outside: Outside, nats_server: NatsServer
) -> None:
    with pod() as run:
        one_step(run, 1)
        nats_server.kill()
        run.message("late")
        until(lambda: "bus away" in run.said())
        nats_server.start()
        assert run.stop() == Reason.Suspended
        assert "agent/transcript/2.json" in paths(outside, run.run)


def test_a_gate_that_cannot_publish_what_is_left_says_so_in_its_exit_code(
    pod: Callable[..., Pod], nats_server: NatsServer
) -> None:
    with pod() as run:
        one_step(run, 1)
        nats_server.kill()
        run.message("late")
        until(lambda: "bus away" in run.said())
        assert run.stop() == Reason.NotDurable
        assert "the stream does not have" in run.said()


def test_large_bodies_come_in_parts_and_are_whole_again(pod: Callable[..., Pod], outside: Outside) -> None:
    body = bytes(range(256)) * 8192
    with pod() as run:
        run.message()
        data = run.call("1-1")
        run.verdict("1-1")
        run.put(f"ops/blobs/{digest(body)}", body)
        part = BlobPart(digest=digest(body), size=len(body))
        run.put("ops/replies/1-1.json", Reply(id="1-1", digest=digest(data), outcome="ok", content=(part,)).encode())
        until(lambda: paths(outside, run.run)[-1] == "ops/replies/1-1.json")
        found = {one.path: one.data for one in outside.files(run.run)}
        assert found[f"ops/blobs/{digest(body)}"] == body


def test_what_a_participant_shows_while_it_works_is_heard_by_who_follows(
    pod: Callable[..., Pod], outside: Outside
) -> None:
    with pod() as run:
        one_step(run, 1)

        async def follow(link: Link) -> bytes:
            heard: asyncio.Queue[Message] = asyncio.Queue()
            await link.subscribe(subjects.live(run.run), heard.put)
            await link.settled()
            (run.path / "ops/progress/2-1").write_bytes(b"half of it")
            while (message := await asyncio.wait_for(heard.get(), 20)).subject.split(".")[4] != "progress":
                pass
            assert message.subject == subjects.progress(run.run, "ops", "2-1")
            return bytes(message.data)

        assert outside.do(follow) == b"half of it"


def test_a_body_larger_than_the_gate_should_be_costs_it_no_memory(pod: Callable[..., Pod], outside: Outside) -> None:
    body = os.urandom(1 << 20) * 64
    with pod() as run:
        one_step(run, 1)
        assert run.gate is not None
        before = resident(run.gate.pid)
        run.message()
        data = run.call("2-1")
        run.verdict("2-1")
        run.put(f"ops/blobs/{digest(body)}", body)
        part = BlobPart(digest=digest(body), size=len(body))
        run.put("ops/replies/2-1.json", Reply(id="2-1", digest=digest(data), outcome="ok", content=(part,)).encode())
        until(lambda: outside.last(run.run) == "ops/replies/2-1.json")
        assert resident(run.gate.pid) - before < 24
        found = {one.path: one.data for one in outside.files(run.run)}
        assert found[f"ops/blobs/{digest(body)}"] == body


def test_a_body_that_is_changed_while_it_is_published_blocks_nothing(pod: Callable[..., Pod], outside: Outside) -> None:
    body = os.urandom(1 << 20) * 8
    with pod() as run:
        run.message()
        data = run.call("1-1")
        run.verdict("1-1")
        run.put(f"ops/blobs/{digest(body)}", body)
        part = BlobPart(digest=digest(body), size=len(body))
        run.put("ops/replies/1-1.json", Reply(id="1-1", digest=digest(data), outcome="ok", content=(part,)).encode())
        until(lambda: outside.size(run.run) > 5)
        os.truncate(run.path / f"ops/blobs/{digest(body)}", 1 << 20)
        until(lambda: outside.last(run.run) == "ops/replies/1-1.json")


def resident(pid: int) -> float:
    """MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024
