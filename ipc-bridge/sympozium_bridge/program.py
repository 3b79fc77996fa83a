"""The gate as a program: opens the run, stays alive, judges until it is told to stop."""

from __future__ import annotations

import asyncio

from sympozium_bridge.gate import Gate
from sympozium_bridge.places import Places
from sympozium_protocol.process import Settings, open_run
from sympozium_protocol.waiting import Watch, stay_alive


async def serve_gate(settings: Settings) -> None:
    """Be the gate of the run below ``settings.ipc`` until cancelled. Raises Ended, FileFault."""
    root, spec = open_run(settings)
    participants = tuple(participant.name for participant in spec.participants)
    places = Places.open(root, participants, settings.ipc, spec.limits.disk)
    gate = Gate(spec, places)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stay_alive(places.own))
            await gate.run(Watch())
    finally:
        # it stops last: what the agent left in its last moment is made safe too
        gate.durability.finish()
