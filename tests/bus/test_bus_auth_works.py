"""With a token, everything works that its holder is there for."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Records, Status, Taken, record_parts
from sympozium_protocol.bus.faults import Away, NobodyThere, Superseded
from sympozium_protocol.bus.link import Link, Message
from sympozium_protocol.bus.reader import open_reader
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.bus.tokens import LauncherIdentity, PersonIdentity, RunIdentity, ServiceIdentity
from sympozium_protocol.bus.writer import append
from sympozium_protocol.exits import Ended, Reason
from tests.support.bus_auth import GuardedBus, guarded_bus, until

pytestmark = pytest.mark.anyio
_numbers = count(1)
LAUNCHER = LauncherIdentity(name="laptop", namespaces=("default",))
SERVICE = ServiceIdentity(service="memory", participant="memory", namespaces=("default",))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def bus(nats_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedBus]:
    with guarded_bus(tmp_path_factory.mktemp("bus")) as found:
        yield found


@pytest.fixture
def run() -> RunIdentity:
    return RunIdentity(namespace="default", run=f"run-{next(_numbers)}")


def key(run: RunIdentity) -> RunKey:
    return RunKey(run.namespace, run.run)


async def received(link: Link, subject: str) -> asyncio.Queue[Message]:
    """What comes on it from now on."""
    found: asyncio.Queue[Message] = asyncio.Queue()
    await link.subscribe(subject, found.put)
    await link.settled()
    return found


async def soon(queue: asyncio.Queue[Message]) -> Message:
    async with asyncio.timeout(30):
        return await queue.get()


async def test_a_launcher_begins_a_run_its_bridge_goes_on_and_a_second_is_noticed(
    bus: GuardedBus, run: RunIdentity
) -> None:
    launcher, bridge = await bus.connect(LAUNCHER), await bus.connect(run)
    first = await append(launcher, subjects.records(key(run)), b"the spec", last=0)
    second = await append(bridge, subjects.records(key(run)), b"more", last=first)
    assert second > first
    with pytest.raises(Superseded):
        await append(bridge, subjects.records(key(run)), b"again", last=first)
    await launcher.close()
    await bridge.close()


async def test_a_bridge_reads_all_of_its_run_from_any_point_and_follows_it(bus: GuardedBus, run: RunIdentity) -> None:
    bridge = await bus.connect(run)
    last = 0
    for number in range(300):
        last = await append(bridge, subjects.records(key(run)), f"{number}".encode(), last=last)
    reader = await open_reader(bridge, key(run))
    assert reader.pending == 300
    found = [await reader.next() for _ in range(300)]
    assert [one.data for one in found] == [f"{number}".encode() for number in range(300)]
    assert found[-1].seq == last
    assert found[0].subject == subjects.records(key(run))
    later = await open_reader(bridge, key(run), after=found[-2].seq)
    assert (await later.next()).seq == last
    await append(bridge, subjects.records(key(run)), b"new", last=last)
    assert (await later.next()).data == b"new"
    await bridge.close()


async def test_a_person_with_the_verbs_reads_hears_and_answers_under_the_own_name(
    bus: GuardedBus, run: RunIdentity
) -> None:
    person = PersonIdentity(name="Ada L.", namespaces=("default",), runs=(run.run,), verbs=("get", "answer"))
    bridge, ada = await bus.connect(run), await bus.connect(person)
    first = await append(bridge, subjects.records(key(run)), b"question", last=0)
    reader = await open_reader(ada, key(run))
    assert (await reader.next()).seq == first
    heard = await received(ada, subjects.live(key(run)))
    status = Status(run=run.run, phase="Waiting").encode()
    await bridge.publish(subjects.status(key(run)), status)
    assert (await soon(heard)).data == status
    said = await append(ada, subjects.said(key(run), "answer", "Ada L."), b"yes", last=0)
    of_the_bridge = await open_reader(bridge, key(run), after=first)
    stored = await of_the_bridge.next()
    assert (stored.seq, subjects.read(stored.subject)[1]) == (said, subjects.Said("answer", "Ada L."))
    await bridge.close()
    await ada.close()


async def test_a_service_takes_a_call_writes_its_reply_and_is_heard(bus: GuardedBus, run: RunIdentity) -> None:
    bridge, service = await bus.connect(run), await bus.connect(SERVICE)

    async def take(message: Message) -> None:
        await service.publish(message.reply, Taken().encode())

    await service.subscribe(subjects.calls("memory"), take, queue="memory")
    withdrawn = await received(service, subjects.withdrawals("memory"))
    heard = await received(bridge, subjects.live(key(run)))
    answer = await bridge.request(subjects.call("memory", key(run), "memory"), b"a request")
    assert Taken.decode(answer)
    await bridge.publish(subjects.withdrawn("memory", key(run), "memory", "3-1"), b"")
    assert subjects.read_withdrawn((await soon(withdrawn)).subject) == (key(run), "memory", "3-1")
    await service.publish(subjects.working(key(run), "memory", "3-1"), b"")
    assert (await soon(heard)).subject == subjects.working(key(run), "memory", "3-1")
    seq = await append(service, subjects.elsewhere(key(run), "memory", "3-1"), b"the reply", last=0)
    for link in (bridge, service):
        reader = await open_reader(link, key(run))
        assert (await reader.next()).seq == seq
        await link.close()


async def test_a_service_says_what_it_offers(bus: GuardedBus, run: RunIdentity) -> None:
    bridge, service = await bus.connect(run), await bus.connect(SERVICE)
    with pytest.raises(NobodyThere):
        await bridge.request(subjects.manifest("memory"), b"")

    async def tell(message: Message) -> None:
        await service.publish(message.reply, b"a manifest")

    await service.subscribe(subjects.manifest("memory"), tell, queue="memory")
    await service.settled()
    assert await bridge.request(subjects.manifest("memory"), b"") == b"a manifest"
    await bridge.close()
    await service.close()


async def test_the_living_bridge_of_a_run_answers_the_one_that_starts_and_the_launcher(
    bus: GuardedBus, run: RunIdentity
) -> None:
    living, starting, launcher = await bus.connect(run), await bus.connect(run), await bus.connect(LAUNCHER)
    with pytest.raises(NobodyThere):
        await starting.request(subjects.present(key(run)), b"")

    async def answer(message: Message) -> None:
        await living.publish(message.reply, b"here")

    await living.subscribe(subjects.present(key(run)), answer)
    await living.settled()
    assert await starting.request(subjects.present(key(run)), b"") == b"here"
    assert await launcher.request(subjects.present(key(run)), b"") == b"here"
    await living.close()
    await launcher.close()
    await starting.close()


async def test_a_connection_ends_with_its_token(bus: GuardedBus, run: RunIdentity) -> None:
    link = await bus.connect(run, lasts=2)
    ended = asyncio.Event()
    link.tell_when_lost(ended.set)
    async with asyncio.timeout(30):
        await ended.wait()
    assert link.lost


async def come_for_ever(bus: GuardedBus, run: RunIdentity) -> None:
    while True:
        await (await bus.connect(run)).close()


async def test_a_run_s_credential_ends_with_the_run(nats_binary: str, tmp_path: Path, run: RunIdentity) -> None:
    spec, result = ((record_parts(path, b"{}")) for path in ("run/run.json", "agent/result.json"))
    with guarded_bus(tmp_path, "--ended-grace", "1s") as bus:
        launcher, bridge = await bus.connect(LAUNCHER), await bus.connect(run)
        subject = subjects.records(key(run))
        first = await append(launcher, subject, Records(records=tuple(spec)).encode(), last=0)
        await append(bridge, subject, Records(records=tuple(result)).encode(), last=first)
        await bridge.close()
        async with asyncio.timeout(30):
            with pytest.raises(Ended) as refused:
                await come_for_ever(bus, run)
        assert refused.value.reason is Reason.BusRefused
        await launcher.close()


async def test_the_stream_has_the_limits_that_the_service_was_given(nats_binary: str, tmp_path: Path) -> None:
    with guarded_bus(tmp_path, "--age", "2d", "--size", "5MiB") as bus:
        operator = await bus.trusted()
        found = json.loads(await operator.request("$JS.API.STREAM.INFO.SYMPOZIUM", b""))["config"]
        assert (found["max_age"], found["max_bytes"]) == (2 * 86400 * 10**9, 5 << 20)
        await operator.close()


async def test_without_the_service_nobody_comes_in_and_with_its_next_life_they_do(
    nats_binary: str, tmp_path_factory: pytest.TempPathFactory, run: RunIdentity
) -> None:
    with guarded_bus(tmp_path_factory.mktemp("again")) as bus:
        inside = await bus.connect(run)
        assert bus.stop() == int(Reason.Suspended)
        with pytest.raises((Away, Ended)):
            await bus.connect(run)
        assert await append(inside, subjects.records(key(run)), b"goes on", last=0)
        bus.start()
        another = await bus.connect(run)
        assert (await (await open_reader(another, key(run))).next()).data == b"goes on"
        await inside.close()
        await another.close()


async def test_the_service_finds_the_server_again(
    nats_binary: str, tmp_path_factory: pytest.TempPathFactory, run: RunIdentity
) -> None:
    with guarded_bus(tmp_path_factory.mktemp("server")) as bus:
        served = bus.said("serving")
        bus.server.kill()
        bus.server.start()
        until(lambda: bus.said("serving") > served, "it serves again")
        link = await bus.connect(run)
        assert await append(link, subjects.records(key(run)), b"one", last=0)
        await link.close()
        assert bus.stop(signal.SIGTERM) == int(Reason.Suspended)
