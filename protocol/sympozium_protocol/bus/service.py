"""A participant on the bus: calls of any number of runs, shared with other copies of the same service.

A call is taken by one copy, which says ``started`` in the stream before it does anything; there only one can be first.
What a copy left unanswered is given out again by the run's bridge: another copy then goes on by the rules of every
participant that finds what a former life began.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.answering import Answering
from sympozium_protocol.bus.kept import Offered, Served
from sympozium_protocol.bus.settings import BusSettings
from sympozium_protocol.bus.subjects import BadSubject
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages.calls import Tool
from sympozium_protocol.participant.context import Handler, Offer, Recover
from sympozium_protocol.participant.serve import END_AT_LATEST
from sympozium_protocol.process import cancelled, end_within


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one copy takes on; beyond, it turns calls away. ``each``: calls of one run."""

    runs: int = 256
    calls: int = 256
    each: int = 64


@dataclass(frozen=True, slots=True)
class OnBus:
    """Where a participant is served: ``serve(handlers, on=OnBus("NAME", settings))``.

    ``service``: the name under which runs call it; every copy has the same. ``namespaces``: whose runs alone it
    serves; empty: everybody's. ``grace``: seconds that calls in hand have to end when the program is told to.
    """

    service: str
    settings: BusSettings
    namespaces: frozenset[str] = frozenset()
    bounds: Bounds = field(default_factory=Bounds)
    grace: float = 20.0

    @classmethod
    def named(cls, service: str, namespaces: Iterable[str] = (), *, grace: float = 20.0) -> Self:
        """On the bus that the environment names. Raises Ended (Usage)."""
        settings = BusSettings.from_environment()
        if settings is None:
            raise Ended(Reason.Usage, "SYMPOZIUM_BUS: names no bus")
        try:
            found = frozenset(map(subjects.token, namespaces))
            return cls(subjects.token(service), settings, found, grace=grace)
        except BadSubject as fault:
            raise Ended(Reason.Usage, str(fault)) from None

    async def serve(self, handlers: Iterable[Handler] | Offer, recover: Recover | None = None) -> None:
        """The same handlers for every run; of an Offer, those that it has when a run first calls."""
        offer = handlers if isinstance(handlers, Offer) else Offer(handlers)

        async def make(run: Served) -> Iterable[Handler]:
            return tuple(offer.handlers.values())

        await serve_on_bus(self, Offered(make, recover=recover), offer.tools)


async def serve_on_bus(on: OnBus, offered: Offered, tools: Sequence[Tool]) -> None:
    """Answer calls until cancelled; then what is in hand has ``on.grace`` to end.

    ``tools``: what runs are told of. Raises Ended (BusRefused).
    """
    service = Answering(on, offered, tools)
    serving = asyncio.ensure_future(service.run())
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        await _wind_up(service, on.grace)
        await _end(service, serving)
        end_within(END_AT_LATEST)  # a handler that cannot be stopped must not hold up the program
        raise
    finally:
        await _end(service, serving)


async def _wind_up(service: Answering, grace: float) -> None:
    await service.stop_taking()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(grace):
            await service.nothing_in_hand()


async def _end(service: Answering, serving: asyncio.Future[None]) -> None:
    await cancelled(serving)
    service.close()
