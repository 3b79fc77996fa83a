"""The gateway as a service on the bus: for every run of one provider at one address, with the one key it holds."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from sympozium_model.program import COMPLETE, gateway_of, load
from sympozium_model.provider import Provider, make_provider
from sympozium_protocol import layout
from sympozium_protocol.bus.kept import Offered, Served
from sympozium_protocol.bus.places import path_of
from sympozium_protocol.bus.service import OnBus, serve_on_bus
from sympozium_protocol.exits import Ended
from sympozium_protocol.layout import Place
from sympozium_protocol.messages import ModelSpec, RunSpec
from sympozium_protocol.participant import Handler

CLIENTS: Final = 64
"""Clients that are kept: one for each model with its options, shared by the runs that state the same."""

_OF_A_RUN: Final = ("scripted", "replay")


async def serve_options(options: argparse.Namespace) -> None:
    """As the command line says. Raises Ended (Usage) when no bus is named, or a name is none; see serve_elsewhere."""
    on = OnBus.named(options.service, options.namespace, grace=options.grace)
    await serve_elsewhere(on, options.provider, options.base_url)


async def serve_elsewhere(on: OnBus, provider: str, base_url: str) -> None:
    """Be the gateway of every run that calls, until cancelled. Raises Ended (MissingKey, BusRefused)."""
    clients = Clients(provider, base_url)
    await clients.begin()
    offered = Offered(clients.make, fits=clients.fits, reads=reads)
    await serve_on_bus(on, offered, (COMPLETE,))


def places(participant: str) -> tuple[Place, ...]:
    """Of a run's files the gateway reads the transcript, and what it said itself."""
    return (layout.TRANSCRIPT, layout.started(participant), layout.replies(participant))


def reads(participant: str, path: str) -> bool:
    return path.startswith(tuple(path_of(place, "") for place in places(participant)))


@dataclass(slots=True)
class Clients:
    """The SDK is imported once; a client is kept for as long as there is room."""

    provider: str
    base_url: str
    _made: dict[str, asyncio.Future[Provider]] = field(default_factory=dict)

    async def begin(self) -> None:
        """Load the SDK, and find out whether the key is there."""
        if self.provider not in _OF_A_RUN:
            await load(ModelSpec(provider=self.provider, model="none", base_url=self.base_url))  # type: ignore[arg-type]

    def fits(self, spec: RunSpec) -> str | None:
        """Why this gateway does not serve the run."""
        model = spec.model
        if (model.provider, model.base_url.rstrip("/")) == (self.provider, self.base_url.rstrip("/")):
            return None
        return f"this gateway speaks to {self._named(self.provider, self.base_url)}, and the run's model is at " + (
            self._named(model.provider, model.base_url)
        )

    @staticmethod
    def _named(provider: str, base_url: str) -> str:
        return f"{provider} ({base_url})" if base_url else provider

    async def make(self, run: Served) -> Iterable[Handler]:
        model = run.spec.model
        provider = self._client(model)
        try:
            await asyncio.shield(provider)
        except Ended:
            self._made.clear()
            raise
        for place in places(run.participant):
            run.root.make(place).close()
        gateway, books = gateway_of(run.root, run.spec, run.participant, provider)

        async def look() -> None:
            await run.look()
            books.look()

        gateway.look = look
        return (Handler(COMPLETE, gateway.complete, starts_itself=True),)

    def _client(self, model: ModelSpec) -> asyncio.Future[Provider]:
        """One of a script or a recording follows its own run."""
        if model.provider in _OF_A_RUN:
            return _thread(model)
        key = model.model_dump_json()
        found = self._made.pop(key, None) or _thread(model)
        self._made[key] = found
        if len(self._made) > CLIENTS:
            del self._made[next(iter(self._made))]
        return found


def _thread(model: ModelSpec) -> asyncio.Future[Provider]:
    """In a thread: making a client reads the certificates of the authorities."""
    return asyncio.ensure_future(asyncio.to_thread(make_provider, model))
