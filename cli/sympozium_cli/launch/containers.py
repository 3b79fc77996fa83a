"""The pod as containers of an engine on this machine, asked directly: they start side by side.

The launcher keeps them as it keeps processes: it restarts what dies, and removes all of it at the end. What a
launcher that was killed left behind is known by its labels (leftovers.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal as signals
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sympozium_cli.launch import leftovers, secretfiles
from sympozium_cli.launch.children import private
from sympozium_cli.launch.engine import Engine
from sympozium_cli.launch.platform import Held
from sympozium_controller.render.compose import PROGRAM_LABEL, TMP, TMP_SIZE, Project, Service
from sympozium_controller.render.notenforced import NotEnforced
from sympozium_protocol.exits import Ended

if TYPE_CHECKING:
    from docker import APIClient

MAX_LOG: Final = 16 << 20
"""Bytes of a program's log that are kept; the rest of its output is read and dropped."""
_BY_SIGNAL: Final = 128
"""An engine's exit code of a program that a signal ended is so much more than the signal's number."""


class Container:
    """One life of one container."""

    def __init__(self, name: str, identity: str, containers: Containers) -> None:
        self.name = name
        self.identity = identity
        self._containers = containers
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._fault: Ended | None = None

    @property
    def code(self) -> int | None:
        return self._ended.result() if self._ended.done() else None

    async def end(self, within: float | None = None) -> int | None:
        """Raises Ended, once, when the engine was lost meanwhile."""
        # wait, not await: who is cancelled while he waits must not cancel the future for everybody
        await asyncio.wait([self._ended], timeout=within)
        if self._fault:
            fault, self._fault = self._fault, None
            raise fault
        return self.code

    async def signal(self, number: int) -> None:
        if self.code is None:
            await self._containers.kill(self.identity, number)

    def over(self, code: int) -> None:
        if not self._ended.done():
            self._ended.set_result(-(code - _BY_SIGNAL) if _BY_SIGNAL < code < _BY_SIGNAL + 65 else code)

    def lost(self, fault: Ended) -> None:
        """The engine cannot say how it is any more: for us it has been killed."""
        self._fault = fault
        self.over(_BY_SIGNAL + signals.SIGKILL)


class Containers:
    """Creates, starts and kills. Each request is a thread's: the engine's library blocks."""

    def __init__(self, engine: Engine, project: Project, held: Held) -> None:
        self._engine = engine
        self._services = {service.name: service for service in project.services}
        self._project = project
        self._held = held
        self._created: dict[str, str] = {}
        self._loop = asyncio.get_running_loop()
        lives = 2 * len(self._services)  # a reader of its output for each, and room for requests
        self._threads = ThreadPoolExecutor(lives + 4, thread_name_prefix="engine")

    async def start(self, name: str) -> Container:
        """Raises Ended."""
        identity = self._created.get(name) or await self._create(self._services[name])
        self._created[name] = identity
        life = Container(name, identity, self)
        output = self._held.run.log_of(name)
        try:
            await self._in_thread(lambda: self._begin(life, output))
        except Ended as fault:
            raise self._of_sandbox(fault, self._services[name]) from None
        return life

    @staticmethod
    def _of_sandbox(fault: Ended, service: Service) -> Ended:
        if not service.runtime:
            return fault
        why = f"{service.name} did not start in the sandbox {service.runtime}, which a policy demands"
        return Ended(fault.reason, f"{why}: {fault.message}")

    async def sweep(self) -> int:
        """A container takes all that was in it along."""
        return 0

    async def excess(self, name: str) -> str:
        state = (await self._ask(lambda client: client.inspect_container(self._created[name])))["State"]
        bound = self._services[name].bounds.memory
        return f"it asked for more than its {bound >> 20} MiB of memory" if state.get("OOMKilled") else ""

    async def kill(self, identity: str, number: int) -> None:
        """No error when it is not running any more. Raises Ended."""
        try:
            await self._ask(lambda client: client.kill(identity, signals.Signals(number).name))
        except Ended as fault:
            if "is not running" not in fault.message and "No such container" not in fault.message:
                raise

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _create(self, service: Service) -> str:
        if service.network:
            network = f"{self._project.name}-{service.network}"
            labels = leftovers.labels(self._project.run, self._held.run.path)
            await self._ask(lambda client: client.create_network(network, driver="bridge", labels=labels))
        found = await self._ask(lambda client: client.create_container(**self._wanted(client, service)))
        return str(found["Id"])

    def _wanted(self, client: APIClient, service: Service) -> dict[str, Any]:
        return {
            "image": service.image,
            "command": list(service.command),
            "name": f"{self._project.name}-{service.name}",
            "user": service.user,
            "working_dir": service.working_dir,
            "environment": {**dict(service.environment), **for_tests()},
            "labels": {
                **leftovers.labels(self._project.run, self._held.run.path),
                PROGRAM_LABEL: service.name,
            },
            "host_config": client.create_host_config(**self._host_config(service)),
        }

    def _host_config(self, service: Service) -> dict[str, Any]:
        from docker.types import LogConfig, Mount

        return {
            "mounts": [Mount(m.target, m.source, type="bind", read_only=not m.writable) for m in service.mounts],
            "tmpfs": {TMP: f"size={TMP_SIZE},mode=1777"},
            "read_only": service.read_only,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "nano_cpus": int(service.bounds.cpu * 1e9),
            "mem_limit": service.bounds.memory,
            "memswap_limit": service.bounds.memory,
            "pids_limit": service.bounds.processes,
            "network_mode": f"{self._project.name}-{service.network}" if service.network else "none",
            "extra_hosts": {"host.docker.internal": "host-gateway"} if service.network else None,
            "runtime": service.runtime or None,
            "log_config": LogConfig(type="none"),  # its output is read here, and bounded
        }

    def _begin(self, life: Container, output: Path) -> None:
        """Start a container whose output is read from before its first byte. Raises Ended."""
        client = self._engine.client(waits=True)
        try:
            stream = client.attach(life.identity, stdout=True, stderr=True, stream=True, logs=False)
            client.start(life.identity)
        except Exception as error:  # noqa: BLE001  told as what it is
            client.close()
            raise self._engine.told(error) from None
        self._threads.submit(self._follow, client, stream, life, output)

    def _follow(self, client: APIClient, stream: Any, life: Container, output: Path) -> None:
        """A container's output to its log until it ends; then its exit code."""
        try:
            _keep(stream, output)
            code = int(client.wait(life.identity)["StatusCode"])
        except Exception as error:  # noqa: BLE001  told as what it is
            self._say(life.lost, self._engine.told(error))
        else:
            self._say(life.over, code)
        finally:
            client.close()

    def _say(self, told: Callable[[Any], None], what: object) -> None:
        try:
            self._loop.call_soon_threadsafe(told, what)
        except RuntimeError:  # the loop has been closed: nobody waits any more
            return

    async def _ask(self, request: Callable[[APIClient], Any]) -> Any:
        return await self._in_thread(lambda: self._engine.ask(request))

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await self._loop.run_in_executor(self._threads, work)


def _keep(stream: Any, output: Path) -> None:
    left = MAX_LOG - (output.stat().st_size if output.exists() else 0)
    with open(output, "ab", buffering=0, opener=private) as file:
        for chunk in stream:
            if left > 0:
                left -= len(chunk)
                with contextlib.suppress(OSError):  # a log that cannot be written must not end a run
                    file.write(chunk[: left + len(chunk)])


def for_tests() -> dict[str, str]:
    """Switches of the protocol's own tests; they hold nothing of the developer's."""
    from sympozium_cli.launch.environment import FOR_TESTS

    return {name: os.environ[name] for name in FOR_TESTS if name in os.environ}


@dataclass(frozen=True, slots=True)
class ContainerPlatform:
    """See Platform."""

    project: Project
    engine: Engine
    owner: tuple[int, int]
    secrets: Path
    name: str = "containers"

    @property
    def programs(self) -> tuple[str, ...]:
        return tuple(service.name for service in self.project.services)

    @property
    def not_enforced(self) -> tuple[NotEnforced, ...]:
        return self.project.not_enforced

    @property
    def directories(self) -> tuple[str, ...]:
        return self.project.directories

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        return self.project.files

    def settle(self) -> None:
        """What a former session left goes; directories become the containers' own.

        In this order: root must not walk through what a hostile container may still be changing.
        """
        leftovers.remove(self.engine, self.project.run)
        for directory in self.project.directories:
            _give_all(Path(directory), self.owner)

    @asynccontextmanager
    async def starter(self, held: Held) -> AsyncIterator[Containers]:
        containers = Containers(self.engine, self.project, held)
        try:
            secretfiles.write(self.secrets, self.project, held.values, self.owner)
            yield containers
        finally:
            await asyncio.to_thread(leftovers.remove, self.engine, self.project.run)
            secretfiles.remove(self.secrets)
            containers.close()


def _give_all(top: Path, owner: tuple[int, int]) -> None:
    """By descriptor, not by path: another run's memory works in its directory now, and may put links into paths."""
    if os.geteuid() != 0:
        return
    for _, directories, files, fd in os.fwalk(top):
        os.chown(fd, *owner)
        for name in (*directories, *files):
            os.chown(name, *owner, dir_fd=fd, follow_symlinks=False)
