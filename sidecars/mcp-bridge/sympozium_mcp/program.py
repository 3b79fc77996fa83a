"""The bridge as a program: starts every server at once, serves when the required ones are known."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
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
from sympozium_protocol.process import Settings, end_within, open_run
from sympozium_protocol.unready import say_unready

if TYPE_CHECKING:
    from sympozium_mcp.server import Server

READY_WITHIN: Final = 25.0
"""Seconds that the required servers have, and our own start with them: the agent waits 30 for our manifest."""

LOOK_EVERY: Final = 0.1
"""Seconds between two looks at those that are not there yet."""

END_WITHIN: Final = 2.0
"""Seconds after SIGTERM in which the program is ended whatever its servers do."""


async def serve_servers(settings: Settings) -> None:
    """Be the run's MCP servers until cancelled. Raises Ended (InvalidRun, MissingKey, ParticipantUnavailable)."""
    ends = time.monotonic() + READY_WITHIN
    root, spec = open_run(settings)
    participant = spec.participant(settings.participant)
    if participant is None:
        raise Ended(Reason.InvalidRun, f"run/run.json: has no participant {settings.participant!r}")
    redactor = Redactor()
    hear(redactor)
    reached = accesses(spec, participant, os.environ, redactor)
    required = [access.server.name for access in reached if access.server.required]
    own = root.make((participant.name,))
    if required:  # before anything that takes long: a busy machine may keep us from ever saying more
        say_unready(own, f"waits for the MCP server {', '.join(required)}")
    offer = Offer()
    async with asyncio.TaskGroup() as tasks:
        servers, running = await start(reached, redactor, offer, tasks)
        awaited = [server for server in servers if server.spec.required]
        await _until_told_to_end(ready(awaited, ends, lambda why: say_unready(own, why)))
        serving = asyncio.create_task(serve(offer, settings=settings))
        try:
            await _until_told_to_end(asyncio.wait([serving]))
        finally:
            await _stop(servers, running)
            serving.cancel()
            await serving


async def _until_told_to_end(work: Awaitable[object]) -> None:
    """Do it; whoever cancels it has the program ended in time, also if a server does not let itself be ended."""
    try:
        await work
    except asyncio.CancelledError:
        end_within(END_WITHIN)
        raise


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
    ends = time.monotonic() + READY_WITHIN
    offer = Offer()
    async with asyncio.TaskGroup() as tasks:
        servers, running = await start(reached, redactor, offer, tasks)
        await ready(servers, ends)
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


async def ready(servers: Sequence[Server], ends: float, say: Callable[[str], None] = lambda why: None) -> None:
    """Wait until the tools of all ``servers`` are known, to ``ends`` of the monotonic clock; meanwhile ``say`` is told
    which are missing and why, whenever that is another. Raises Ended (ParticipantUnavailable), which says it too."""
    said = ""
    while missing := [server for server in servers if not server.ready.is_set()]:
        for server in missing:
            if server.hopeless:
                raise Ended(Reason.ParticipantUnavailable, f"MCP server {server.name}: {server.hopeless}")
        why = "; ".join(f"MCP server {server.name}: {server.why}" for server in missing)
        if time.monotonic() >= ends:
            raise Ended(Reason.ParticipantUnavailable, f"{why} (waited {READY_WITHIN:g} s)")
        if why != said:
            said = why
            say(why)
        await _first_ready(missing)


async def _first_ready(servers: Sequence[Server]) -> None:
    """Until one of them is ready, or it is time to see whether one never can be."""
    waiting = [asyncio.create_task(server.ready.wait()) for server in servers]
    try:
        await asyncio.wait(waiting, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
