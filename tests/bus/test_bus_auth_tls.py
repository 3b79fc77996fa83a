"""The bus over TLS: tokens travel to the server that the authority vouches for, and to no other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.faults import Away
from sympozium_protocol.bus.link import connect
from sympozium_protocol.bus.reader import open_reader
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.bus.tokens import RunIdentity
from sympozium_protocol.bus.writer import append
from sympozium_protocol.exits import Ended
from tests.support.bus_auth import GuardedBus, guarded_bus, until
from tests.support.certificates import certificates

pytestmark = pytest.mark.anyio
RUN = RunIdentity(namespace="default", run="a")
KEY = RunKey("default", "a")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def bus(nats_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedBus]:
    folder = tmp_path_factory.mktemp("tls")
    with guarded_bus(folder, certificates=certificates(folder / "certificates")) as found:
        yield found


async def test_a_run_writes_and_reads_over_tls(bus: GuardedBus) -> None:
    assert bus.server.url.startswith("tls://")
    link = await bus.connect(RUN)
    seq = await append(link, subjects.records(KEY), b"one", last=0)
    assert (await (await open_reader(link, KEY)).next()).seq == seq
    await link.close()


async def test_a_server_that_no_known_authority_vouches_for_gets_no_token(bus: GuardedBus, tmp_path: Path) -> None:
    other = certificates(tmp_path / "other").authority
    for authority in (None, other):
        settings = replace(bus.settings(RUN), ca_file=authority)
        before = bus.said("admitted")
        with pytest.raises(Ended, match="certificate is not accepted"):
            await connect(settings, principal=RUN.principal)
        assert bus.said("admitted") == before


async def test_without_tls_nobody_is_let_in(bus: GuardedBus) -> None:
    settings = replace(bus.settings(RUN), url=bus.server.url.replace("tls://", "nats://"), ca_file=None)
    before = bus.said("admitted")
    with pytest.raises((Away, Ended)):
        await connect(settings, principal=RUN.principal)
    assert bus.said("admitted") == before


async def test_a_connection_that_ends_says_nothing_of_it_to_a_terminal(
    bus: GuardedBus, caplog: pytest.LogCaptureFixture
) -> None:
    link = await bus.connect(RUN)
    lost = asyncio.Event()
    link.tell_when_lost(lost.set)
    bus.server.kill()
    bus.server.start()
    async with asyncio.timeout(30):
        await lost.wait()
    await link.close()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []
    until(lambda: bus.said("serving") > 1, "the service serves again")
