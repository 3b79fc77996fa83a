"""The gate as a program: opens the run, stays alive, judges until it is told to stop."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from sympozium_bridge.claim import writer_of
from sympozium_bridge.gate import Gate
from sympozium_bridge.journal import Journal
from sympozium_bridge.outbox import Outbox
from sympozium_bridge.places import Places
from sympozium_protocol import layout
from sympozium_protocol.files import Directory
from sympozium_protocol.messages.spec import RunSpec
from sympozium_protocol.process import Settings, cancelled, open_run
from sympozium_protocol.waiting import Watch, stay_alive

if TYPE_CHECKING:
    from sympozium_bridge.bus import Bus
    from sympozium_bridge.standins import StandIns


async def serve_gate(settings: Settings) -> None:
    """Be the gate of the run below ``settings.ipc`` until cancelled. Raises Ended, FileFault."""
    root, spec = open_run(settings)
    participants = tuple(participant.name for participant in spec.participants)
    places = Places.open(root, participants, settings.ipc, spec.limits.disk)
    journal = Journal(published=bool(os.environ.get("SYMPOZIUM_BUS")))
    gate = Gate(spec, places, journal, Outbox(root, spec, journal) if journal.published else None)
    if journal.published:
        await _with_bus(root, spec, gate)
    else:
        await _alone(gate)


async def _alone(gate: Gate) -> None:
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stay_alive(gate.places.own))
            await gate.run(Watch())
    finally:
        # it stops last: what the agent left in its last moment is made safe too
        gate.durability.finish()


async def _with_bus(root: Directory, spec: RunSpec, gate: Gate) -> None:
    bus, standins = _bus(root, spec, gate)
    publishing = asyncio.create_task(bus.run())
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stay_alive(gate.places.own))
            tasks.create_task(standins.stay_alive())
            tasks.create_task(_watch_over(publishing))
            await gate.run(Watch())
    except asyncio.CancelledError:
        await cancelled(publishing)
        gate.last_look()
        await bus.drain()
        gate.durability.finish()
        raise
    finally:
        await cancelled(publishing)


async def _watch_over(task: asyncio.Future[None]) -> None:
    """Raises what it raises; ends at once when told to, however long the task takes for that."""
    await asyncio.shield(task)


def _bus(root: Directory, spec: RunSpec, gate: Gate) -> tuple[Bus, StandIns]:
    """Loaded where there is one: its library is not for every run."""
    from sympozium_bridge.bus import Bus
    from sympozium_bridge.progress import Progress
    from sympozium_bridge.standin import StandIn
    from sympozium_bridge.standins import StandIns
    from sympozium_protocol.bus.settings import BusSettings
    from sympozium_protocol.bus.subjects import RunKey

    settings = BusSettings.from_environment()
    assert settings is not None
    lanes = [StandIn(root, participant) for participant in spec.participants if participant.placement == "bus"]
    standins = StandIns(RunKey.of(spec), lanes, gate.journal)
    gate.allowed = standins.allowed
    gate.journal.adopt = gate.restore
    with root.open(layout.RUN) as run:
        data = run.read(layout.RUN_FILE) or b""
    writer = writer_of(gate.places.own)
    return Bus(settings, gate, standins, Progress(root, spec), spec=data, writer=writer), standins
