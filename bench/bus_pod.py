"""A bus and gates on it, for measuring: a server that syncs what it acknowledges, runs begun, files waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Records, record_parts
from sympozium_protocol.bus.link import Link, connected
from sympozium_protocol.bus.reader import Reader, Stored, open_reader
from sympozium_protocol.bus.settings import BusSettings
from sympozium_protocol.bus.stream import StreamLimits, make_stream
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.bus.writer import append
from tests.support.bus_pod import Pod, spec_of
from tests.support.nats import NatsServer

WITHIN = 120.0
"""Seconds; only what hangs takes so long."""


@asynccontextmanager
async def server_with_stream(path: Path) -> AsyncIterator[tuple[NatsServer, Link]]:
    """Its store is below ``path``, on the disk that is measured."""
    with NatsServer(path / "nats") as server:
        async with linked(server) as link:
            await make_stream(link, StreamLimits())
            yield server, link


@asynccontextmanager
async def linked(server: NatsServer) -> AsyncIterator[Link]:
    async with connected(BusSettings(server.url), principal="bench:reader") as link:
        yield link


async def begin(link: Link, pod: Pod) -> int:
    """Publish a run's RunSpec; its sequence."""
    data = Records(writer="bench", records=tuple(record_parts("run/run.json", pod.spec.encode()))).encode()
    return await append(link, subjects.records(pod.run), data, last=0)


def pod_of(path: Path, run: str, url: str) -> Pod:
    """``url``: empty for one without a bus."""
    return Pod(path / run, spec_of(run), url)


async def ready(pod: Pod) -> None:
    """Until its gate is on the bus, or where there is none, until it lives."""
    with_bus = bool(pod.env["SYMPOZIUM_BUS"])

    def is_there() -> bool:
        if pod.gate is None or pod.gate.poll() is not None:
            raise SystemExit(f"a gate ended: {pod.said()}")
        return "bus reached" in pod.said() if with_bus else pod.has("bridge/alive")

    try:
        await holds(is_there, "a gate is not ready")
    except TimeoutError as why:
        raise SystemExit(f"{why}: {pod.said()}") from None


async def holds(condition: Callable[[], bool], what: str, every: float = 0.01) -> None:
    """Raises TimeoutError."""
    ends = time.monotonic() + WITHIN
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError(what)
        await asyncio.sleep(every)


async def next_of(reader: Reader) -> Stored:
    async with asyncio.timeout(WITHIN):
        return await reader.next()


async def all_of(link: Link, run: RunKey) -> list[Stored]:
    """What the stream has of a run now."""
    reader, found = await open_reader(link, run, onward=False), []
    while reader.pending:
        found.append(await next_of(reader))
    await reader.close()
    return found
