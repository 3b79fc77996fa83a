"""What the bus builds on, as the real server has it: what an acknowledgement means, what is refused, what is seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import DiscardPolicy, Header, StreamConfig
from nats.js.errors import APIError

from tests.support.nats import NatsServer
from tests.support.proxy import Between

WRONG_LAST_SEQUENCE = 10071
FULL = 10077
NO_RESOURCES = 10023


@asynccontextmanager
async def connected(url: str, **more: Any) -> AsyncIterator[Client]:
    client = await nats.connect(url, reconnect_time_wait=0.02, max_reconnect_attempts=-1, error_cb=silent, **more)
    try:
        yield client
    finally:
        await client.close()


async def silent(error: Exception) -> None:
    """What a test provokes is not told on standard error."""


async def within(seen: asyncio.Event) -> None:
    async with asyncio.timeout(30):
        await seen.wait()


async def stream(client: Client, name: str, **more: Any) -> None:
    await client.jetstream().add_stream(StreamConfig(name=name, subjects=[f"{name}.>"], **more))


def test_what_was_acknowledged_is_there_after_the_server_was_killed(nats_server: NatsServer) -> None:
    async def publish() -> None:
        async with connected(nats_server.url) as client:
            await stream(client, "kept")
            for number in range(20):
                await client.jetstream().publish("kept.a", b"%d" % number)

    async def read() -> list[bytes]:
        async with connected(nats_server.url) as client:
            js = client.jetstream()
            return [(await js.get_msg("kept", seq)).data or b"" for seq in range(1, 21)]

    url = nats_server.url
    asyncio.run(publish())
    nats_server.kill()
    nats_server.start()

    assert nats_server.url == url
    assert asyncio.run(read()) == [b"%d" % number for number in range(20)]


def test_a_second_writer_that_expects_the_same_last_sequence_is_refused(shared_nats: NatsServer) -> None:
    async def both() -> tuple[int, APIError]:
        async with connected(shared_nats.url) as client:
            await stream(client, "one")
            js = client.jetstream()
            expected = {Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: "0"}
            first = await js.publish("one.run", b"first", headers=expected)
            await js.publish("one.other", b"of another subject")
            with pytest.raises(APIError) as refused:
                await js.publish("one.run", b"second", headers=expected)
            return first.seq, refused.value

    seq, refusal = asyncio.run(both())

    assert (seq, refusal.code, refusal.err_code) == (1, 400, WRONG_LAST_SEQUENCE)


@pytest.mark.parametrize("limit", [{"max_bytes": 4096}, {"max_msgs": 3}], ids=str)
def test_a_full_stream_that_discards_what_is_new_refuses_it_with_a_code(
    shared_nats: NatsServer, limit: dict[str, int]
) -> None:
    async def fill(name: str) -> tuple[APIError, int]:
        async with connected(shared_nats.url) as client:
            await stream(client, name, discard=DiscardPolicy.NEW, **limit)
            js = client.jetstream()
            for _ in range(3):
                await js.publish(f"{name}.run", b"x" * 1000)
            with pytest.raises(APIError) as refused:
                await js.publish(f"{name}.run", b"x" * 1000)
            return refused.value, (await js.stream_info(name)).state.messages

    refusal, messages = asyncio.run(fill(f"full-{next(iter(limit))}"))

    assert (refusal.code, refusal.err_code, messages) == (503, FULL, 3)


def test_a_server_without_room_refuses_what_no_limit_of_the_stream_would_with_another_code(
    nats_binary: str, tmp_path: Path
) -> None:
    async def fill(url: str) -> APIError:
        async with connected(url) as client:
            await stream(client, "unlimited")
            js = client.jetstream()
            await js.publish("unlimited.run", b"x" * 600_000)
            await js.publish("unlimited.run", b"x" * 600_000)  # crosses the limit, and is taken
            with pytest.raises(APIError) as refused:
                await js.publish("unlimited.run", b"x")
            return refused.value

    with NatsServer(tmp_path / "nats", jetstream="max_file_store: 1MB") as server:
        refusal = asyncio.run(fill(server.url))

    assert (refusal.code, refusal.err_code) == (503, NO_RESOURCES)


def test_a_server_that_is_paused_is_seen_lost_and_what_is_sent_meanwhile_arrives_when_it_goes_on(
    nats_server: NatsServer,
) -> None:
    async def watch() -> bytes:
        lost, back = asyncio.Event(), asyncio.Event()

        async def disconnected() -> None:
            lost.set()

        async def reconnected() -> None:
            back.set()

        async with connected(
            nats_server.url,
            ping_interval=0.05,
            max_outstanding_pings=2,
            disconnected_cb=disconnected,
            reconnected_cb=reconnected,
        ) as client:
            await stream(client, "paused")
            nats_server.pause()
            await within(lost)
            await client.publish("paused.run", b"meanwhile")
            nats_server.go_on()
            await within(back)
            await client.flush()
            return (await client.jetstream().get_last_msg("paused", "paused.run")).data or b""

    assert asyncio.run(watch()) == b"meanwhile"


def test_a_publish_whose_acknowledgement_is_lost_is_stored_and_once_only_when_it_is_sent_again(
    shared_nats: NatsServer,
) -> None:
    async def lose(between: Between) -> tuple[bool | None, int]:
        message = {Header.MSG_ID.value: "record-1"}
        back = asyncio.Event()

        async def reconnected() -> None:
            back.set()

        async with (
            connected(between.url, reconnected_cb=reconnected) as client,
            connected(shared_nats.url) as beside,
        ):
            await stream(beside, "lost")
            js = beside.jetstream()
            between.freeze("client")
            sent = asyncio.create_task(client.jetstream().publish("lost.run", b"x", timeout=60, headers=message))
            ends = time.monotonic() + 30
            while (await js.stream_info("lost")).state.messages == 0:
                assert time.monotonic() < ends
            assert not sent.done()
            between.cut()
            sent.cancel()
            between.heal()
            await within(back)  # before that, what is sent goes to the connection that is lost, and nobody hears of it
            again = await client.jetstream().publish("lost.run", b"x", timeout=30, headers=message)
            return again.duplicate, (await js.stream_info("lost")).state.messages

    with Between(shared_nats.port) as between:
        assert asyncio.run(lose(between)) == (True, 1)


def test_a_client_that_is_cut_off_is_refused_until_the_network_is_whole(shared_nats: NatsServer) -> None:
    async def cut(between: Between) -> None:
        back = asyncio.Event()

        async def reconnected() -> None:
            back.set()

        async with connected(between.url, reconnected_cb=reconnected) as client:
            between.cut()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", between.port)
            assert between.connections == 0
            between.heal()
            await within(back)
            await client.flush()

    with Between(shared_nats.port) as between:
        asyncio.run(cut(between))


def test_what_a_configuration_adds_holds_and_can_be_changed_while_it_runs(nats_binary: str, tmp_path: Path) -> None:
    async def larger() -> int:
        async with connected(server.url) as client:
            return client.max_payload

    with NatsServer(tmp_path / "nats", more="max_payload: 1000") as server:
        before = asyncio.run(larger())
        server.more = "max_payload: 2000"
        server.reload()
        assert (before, asyncio.run(larger())) == (1000, 2000)
