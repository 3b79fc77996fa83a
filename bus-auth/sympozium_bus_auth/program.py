"""The service's life: three connections, and from the start again when one of them is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sympozium_bus_auth.callout import SUBJECT
from sympozium_bus_auth.door import Door
from sympozium_bus_auth.keys import Keys
from sympozium_bus_auth.readers import Readers
from sympozium_bus_auth.verifying import Verifier
from sympozium_protocol.bus.faults import Away
from sympozium_protocol.bus.link import Link, Login, connected
from sympozium_protocol.bus.settings import BusSettings
from sympozium_protocol.bus.stream import StreamLimits, make_stream
from sympozium_protocol.bus.subjects import READERS, service_principal
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.process import log

NAME: Final = "bus-auth"
_AGAIN: Final = (0.2, 0.5, 1.0, 2.0)
"""Seconds before each further attempt; the last again and again."""


@dataclass(frozen=True, slots=True)
class Service:
    """``connections``: that one principal may have at a time. ``ready``: a file that is there while all is answered.
    ``ended_grace``: seconds after a run's result in which its gate is still let in."""

    bus: BusSettings
    keys: Keys
    verifier: Verifier
    stream: StreamLimits
    connections: int = 16
    ready: Path | None = None
    ended_grace: float = 600.0


async def serve(service: Service) -> None:
    """Until it is told to end. Raises Ended (BusRefused) when the server does not know our keys."""
    failed = 0
    while True:
        try:
            async with _ready(service) as lost:
                failed = 0
                log("bus-auth", serving=service.bus.url)
                with _there(service.ready):
                    await lost.wait()
            log("bus-auth", lost=service.bus.url)
        except Away as away:
            log("bus-auth", away=str(away))
        await asyncio.sleep(_AGAIN[min(failed, len(_AGAIN) - 1)])
        failed += 1


@contextmanager
def _there(file: Path | None) -> Iterator[None]:
    """Whoever starts what needs us looks for it. Raises Ended (Usage) where it cannot be made."""
    if file is None:
        yield
        return
    try:
        file.touch()
    except OSError as error:
        raise Ended(Reason.Usage, f"{file}: {(error.strerror or str(error)).lower()}") from None
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


@asynccontextmanager
async def _ready(service: Service) -> AsyncIterator[asyncio.Event]:
    """Everything is answered while this is open. The event: a connection was lost. Raises Away, Ended."""
    lost = asyncio.Event()
    async with AsyncExitStack() as stack:
        system, keeper, asked = [await _come(stack, service, name, lost) for name in ("system", "keeper", "auth")]
        if not asked.guarded:
            why = "asks for nobody's token: everybody may do everything; include what `sympozium-bus-auth keys` prints"
            raise Ended(Reason.BusRefused, f"{service.bus.url}: the server {why}")
        await make_stream(keeper, service.stream)
        await keeper.subscribe(READERS, Readers(keeper, service.connections).heard, queue=NAME)
        await keeper.settled()
        door = Door(
            asked, system, keeper, service.verifier, service.keys.issuer, service.connections, service.ended_grace
        )
        await asked.subscribe(SUBJECT, door.answer, queue=NAME)
        await asked.settled()
        yield lost


async def _come(stack: AsyncExitStack, service: Service, name: str, lost: asyncio.Event) -> Link:
    pair = service.keys.pairs[name]
    link = await stack.enter_async_context(
        connected(
            replace(service.bus, token_file=None),
            principal=service_principal(f"{NAME}-{name}"),
            login=Login(pair.public, pair.sign),
        )
    )
    link.tell_when_lost(lost.set)
    return link
