"""The pod as processes of this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sympozium_cli.launch.children import Child, Children
from sympozium_cli.launch.environment import environment_of
from sympozium_cli.launch.orphans import become_subreaper
from sympozium_cli.launch.platform import Held
from sympozium_cli.launch.stopping import sweep_all
from sympozium_cli.rundir import MODE
from sympozium_controller.render.notenforced import NotEnforced
from sympozium_controller.render.processes import Processes


class ProcessStarter:
    """Starts processes, each with a log of its own; they inherit the run's lock."""

    def __init__(self, processes: Processes, held: Held, children: Children) -> None:
        self._processes = {process.name: process for process in processes.programs}
        self._held = held
        self._children = children

    async def start(self, name: str) -> Child:
        process = self._processes[name]
        environment = environment_of(process, self._held.values, os.environ, os.getpid())
        return self._children.spawn(process, environment, self._held.run.log_of(name), self._held.lock)

    async def sweep(self) -> int:
        return await sweep_all(lambda: self._children.pids)

    async def excess(self, name: str) -> str:
        """Processes have no bound of their own."""
        return ""


@dataclass(frozen=True, slots=True)
class ProcessPlatform:
    """See Platform."""

    processes: Processes
    name: str = "plain processes"

    @property
    def programs(self) -> tuple[str, ...]:
        return tuple(process.name for process in self.processes.programs)

    @property
    def not_enforced(self) -> tuple[NotEnforced, ...]:
        return self.processes.not_enforced

    @property
    def directories(self) -> tuple[str, ...]:
        return self.processes.directories

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        return self.processes.files

    def settle(self) -> None:
        """A program finds an empty temporary directory, as in a new container."""
        for process in self.processes.programs:
            tmp = dict(process.env)["TMPDIR"]
            if os.path.isdir(tmp) and not os.path.islink(tmp):
                shutil.rmtree(tmp, ignore_errors=True)
            Path(tmp).mkdir(mode=MODE, parents=True, exist_ok=True)

    @asynccontextmanager
    async def starter(self, held: Held) -> AsyncIterator[ProcessStarter]:
        become_subreaper()
        with Children() as children:
            yield ProcessStarter(self.processes, held, children)
