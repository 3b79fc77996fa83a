"""The bridge as a program: starts every server at once, serves when the required ones are known."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sympozium_mcp.access import Access, accesses
from sympozium_mcp.library import hear
from sympozium_mcp.process import ServerProcess
from sympozium_mcp.secrets import Redactor
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.spec import ParticipantSpec, RunSpec
from sympozium_protocol.participant import Offer, serve
from sympozium_protocol.process import Settings, open_run

if TYPE_CHECKING:
    from sympozium_mcp.server import Server

READY_WITHIN: Final = 25.0
"""Seconds that the required servers have: the agent waits 30 for our manifest, and then knows less of the reason."""


async def serve_servers(settings: Settings) -> None:
    """Be the run's MCP servers until cancelled. Raises Ended (InvalidRun, MissingKey, ParticipantUnavailable)."""
    _, spec = open_run(settings)
    participant = spec.participant(settings.participant)
    if participant is None:
        raise Ended(Reason.InvalidRun, f"run/run.json: has no participant {settings.participant!r}")
    redactor = Redactor()
    hear(redactor)
    reached = accesses(spec, participant, os.environ, redactor)
    offer = Offer()
    async with asyncio.TaskGroup() as tasks:
        servers, running = await start(reached, redactor, offer, tasks)
        await ready([server for server in servers if server.spec.required], READY_WITHIN)
        serving = asyncio.create_task(serve(offer, settings=settings))
        try:
            await asyncio.wait([serving])
        finally:
            await _stop(servers, running)
            serving.cancel()
            await serving


async def _stop(servers: Sequence[Server], running: Sequence[asyncio.Task[None]]) -> None:
    """End the servers before ``serve``, which then has the program ended: they have a moment to go by themselves."""
    for server in servers:
        server.ending = True
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)


async def list_servers(file: Path) -> None:
    """Print what the servers of a run.json offer, and end. Raises Ended as ``serve_servers`` does."""
    spec = _read(file)
    redactor = Redactor()
    hear(redactor)
    reached = accesses(spec, _of_role_mcp(spec, file), os.environ, redactor)
    offer = Offer()
    async with asyncio.TaskGroup() as tasks:
        servers, running = await start(reached, redactor, offer, tasks)
        await ready(servers, READY_WITHIN)
        for task in running:
            task.cancel()
    for tool in offer.tools:
        sys.stdout.write(f"{tool.name}\t{' '.join(tool.description.split())[:100]}\n")


def _read(file: Path) -> RunSpec:
    try:
        return RunSpec.decode(file.read_bytes())
    except (OSError, InvalidDocument) as fault:
        raise Ended(Reason.InvalidRun, f"{file}: {fault}") from None


def _of_role_mcp(spec: RunSpec, file: Path) -> ParticipantSpec:
    for participant in spec.participants:
        if participant.role == "mcp":
            return participant
    raise Ended(Reason.InvalidRun, f"{file}: participants: none has the role mcp")


async def start(
    reached: Sequence[Access], redactor: Redactor, offer: Offer, tasks: asyncio.TaskGroup
) -> tuple[tuple[Server, ...], list[asyncio.Task[None]]]:
    """Start all servers in ``tasks``: their processes first, which come up while the mcp package is imported."""
    # outside the task group: one that cannot be started ends nothing, its server will find out
    spawned = {
        access.server.name: asyncio.create_task(ServerProcess.spawn(access, redactor.text))
        for access in reached
        if access.server.transport == "stdio"
    }
    await asyncio.sleep(0)  # they fork before we grow
    await _import()
    from sympozium_mcp.board import Board
    from sympozium_mcp.server import Server

    board = Board(offer)
    servers = tuple(Server(access, redactor, board.changed) for access in reached)
    board.servers = servers
    return servers, [tasks.create_task(server.run(spawned.get(server.name))) for server in servers]


async def _import() -> None:
    """In a thread: the mcp package takes half a second, in which servers come up and are heard."""
    gc.disable()  # thousands of objects are made that all stay
    try:
        await asyncio.to_thread(__import__, "sympozium_mcp.server")
    finally:
        gc.enable()
        gc.freeze()


async def ready(servers: Sequence[Server], within: float) -> None:
    """Wait until the tools of all ``servers`` are known. Raises Ended (ParticipantUnavailable), which names those
    that are missing and why."""
    waiting = [asyncio.create_task(_one_ready(server)) for server in servers]
    try:
        async with asyncio.timeout(within):
            await asyncio.gather(*waiting)
    except TimeoutError:
        missing = "; ".join(f"{server.name}: {server.why}" for server in servers if not server.ready.is_set())
        raise Ended(
            Reason.ParticipantUnavailable, f"MCP servers were not ready within {within:g} s: {missing}"
        ) from None
    finally:
        for task in waiting:
            task.cancel()


async def _one_ready(server: Server) -> None:
    """Until it is ready, or never can be."""
    known = asyncio.create_task(server.ready.wait())
    try:
        while not known.done():
            await asyncio.wait([known], timeout=0.1)
            if server.hopeless:
                raise Ended(Reason.ParticipantUnavailable, f"MCP server {server.name}: {server.hopeless}")
    finally:
        known.cancel()
