"""The participant's life: one process owns the file and serves every run that it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from sympozium_memory.keeper import Keeper
from sympozium_memory.tools import handlers
from sympozium_protocol.exits import Ended
from sympozium_protocol.files import FileFault
from sympozium_protocol.participant import Handler, serve
from sympozium_protocol.process import Settings, log, open_run

GRACE: Final = 5.0
"""Seconds that calls in hand have to end when the program is told to; each takes milliseconds."""


async def serve_memory(file: Path, settings: Settings, directories: Sequence[Path] = ()) -> None:
    """Serve the runs in these ipc directories (default: that of the settings) until cancelled.

    What goes wrong with one run ends its service alone, and the program with the last. Raises Ended
    (InvalidRun, ManifestRefused) and the protocol's FileFault, in an ExceptionGroup.
    """
    keeper = Keeper(file)
    runs = [replace(settings, ipc=ipc, run_digest="") for ipc in directories] or [settings]
    faults: list[BaseException] = []
    try:
        async with asyncio.TaskGroup() as tasks:
            for run in runs:
                tasks.create_task(_serve(keeper, run, faults))
    finally:
        await keeper.close()
    raise BaseExceptionGroup("no run is left", faults)


async def serve_memory_on_bus(file: Path, service: str, namespaces: Sequence[str]) -> None:
    """Serve every run that calls ``service`` on the bus, until cancelled. Raises Ended (Usage, BusRefused)."""
    from sympozium_protocol.bus.kept import Offered, Served  # here: in a pod there is no bus
    from sympozium_protocol.bus.service import OnBus, serve_on_bus

    on = OnBus.named(service, namespaces, grace=GRACE)
    keeper = Keeper(file)
    tools = handlers(keeper)

    async def make(run: Served) -> tuple[Handler, ...]:
        await keeper.begin(run.spec.seeds)
        return tools

    try:
        await serve_on_bus(on, Offered(make), [handler.tool for handler in tools])
    finally:
        await keeper.close()


async def _serve(keeper: Keeper, settings: Settings, faults: list[BaseException]) -> None:
    try:
        _, spec = open_run(settings)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(handlers(keeper), settings=settings))
            tasks.create_task(keeper.begin(spec.seeds))
    except* (Ended, FileFault) as group:
        log("run not served", ipc=settings.ipc, why="; ".join(map(str, group.exceptions)))
        faults.append(group)
