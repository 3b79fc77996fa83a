"""The first record of a run: its RunSpec, published before anything starts."""

from __future__ import annotations

from sympozium_cli.bus.connecting import at_once, connection
from sympozium_cli.bus.named import Bus
from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Records, record_parts
from sympozium_protocol.bus.faults import Superseded
from sympozium_protocol.bus.gather import BadRecord, Gatherer
from sympozium_protocol.bus.link import Link
from sympozium_protocol.bus.places import RUN_PATH
from sympozium_protocol.bus.reader import open_reader
from sympozium_protocol.bus.stream import StreamLimits, have_stream, make_stream
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.bus.writer import append
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages.spec import RunSpec

WRITER = "launcher"


def publish_run(bus: Bus, spec: RunSpec, data: bytes) -> None:
    """The stream has the RunSpec ``data`` as the run's first record. It may have it already.

    Raises Ended: BusRefused when the bus is not reached, Usage when the name is another run's.
    """
    at_once(_publish(bus, RunKey.of(spec), data))


async def _publish(bus: Bus, run: RunKey, data: bytes) -> None:
    async with connection(bus) as link:
        if link.trusted and not await have_stream(link):
            await make_stream(link, StreamLimits())
        try:
            await _append(link, run, data)
        except Superseded:
            if await _first(link, run) != data:
                why = f"the bus has a run of this name in the namespace {run.namespace} already; start it under another"
                raise Ended(Reason.Usage, f"{run.run}: {why}") from None


async def _append(link: Link, run: RunKey, data: bytes) -> None:
    last = 0
    for record in record_parts(RUN_PATH, data):  # each part fills a message
        message = Records(writer=WRITER, records=(record,))
        last = await append(link, subjects.records(run), message.encode(), last=last)


async def _first(link: Link, run: RunKey) -> bytes:
    """The RunSpec that the stream has; empty when what is there is none."""
    reader, gatherer = await open_reader(link, run), Gatherer(run)
    while reader.pending:
        try:
            for found in gatherer.take(await reader.next()):
                return found.data if found.path == RUN_PATH else b""
        except BadRecord:
            return b""
    return b""
