"""The one stream: made once, whoever comes first, in whatever room there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from sympozium_protocol.bus.link import connected
from sympozium_protocol.bus.settings import BusSettings
from sympozium_protocol.bus.stream import StreamLimits, have_stream, make_stream
from sympozium_protocol.exits import Ended, Reason
from tests.support.bus import go
from tests.support.nats import NatsServer

ROOM = 32 << 20


@pytest.fixture
def server(nats_binary: str, tmp_path: Path) -> NatsServer:
    return NatsServer(tmp_path, jetstream=f"max_file_store: {ROOM}")


async def make(url: str, size: int) -> bool:
    async with connected(BusSettings(url), principal="test") as link:
        await make_stream(link, StreamLimits(size=size))
        return await have_stream(link)


def test_a_stream_that_takes_all_the_room_is_made_again_by_whoever_comes_next(server: NatsServer) -> None:
    with server:
        assert go(make(server.url, ROOM))
        assert go(make(server.url, ROOM))


def test_a_stream_for_which_there_is_no_room_is_refused(server: NatsServer) -> None:
    with server, pytest.raises(Ended, match="storage") as refused:
        go(make(server.url, 2 * ROOM))
    assert refused.value.reason is Reason.BusRefused
