"""One run, from the first program's start to the last one's end. What goes on in it is read elsewhere, from files."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sympozium_cli.launch.platform import Life, Starter
from sympozium_cli.launch.restarts import Restart, after_agent, after_end, how
from sympozium_cli.launch.stopping import stop
from sympozium_cli.rundir import RunDirectory
from sympozium_protocol import layout
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import FileFault

AGENT: Final = "agent"
BRIDGE: Final = "bridge"

AGENT_GRACE: Final = 12.0
"""Seconds from SIGTERM to SIGKILL: the agent's first process gives its program 10 of them."""
PARTICIPANT_GRACE: Final = 2.0
BRIDGE_GRACE: Final = 5.0
"""The gate makes safe what the agent left: a slow disk takes a while."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What is to be started."""

    run: RunDirectory
    programs: tuple[str, ...]
    first: str
    """The program that is started before all others: the one whose start takes longest."""
    optional: frozenset[str] = frozenset()
    """Participants that the run goes on without."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the session ended. ``agent``: the exit code of the agent, if it ended by itself or in its grace."""

    reason: Reason | None = None
    message: str = ""
    agent: int | None = None
    at_once: bool = False
    """Stop with SIGKILL."""


class Session:
    """Starts the pod, restarts what dies, and stops all of it when the agent has ended or somebody says so."""

    def __init__(self, launch: Launch, starter: Starter, say: Callable[[str], None]) -> None:
        self._launch = launch
        self._starter = starter
        self._say = say
        self._living: dict[str, Life] = {}
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._began = time.time_ns()

    def end(self, ending: Ending) -> None:
        """End the session; the first word counts."""
        if not self._ending.done():
            self._ending.set_result(ending)

    async def run(self) -> Ending:
        """Raises OSError, Ended when a program cannot be started at all. Nothing is left behind in any case."""
        keepers: list[asyncio.Task[None]] = []
        ending = Ending(at_once=True)
        try:
            await self._start_all()
            keepers = [asyncio.create_task(self._keep(name)) for name in self._living]
            ending = await self._ending
        finally:
            for keeper in keepers:
                keeper.cancel()
            ending = await self._stop(ending)
        return ending

    async def _start_all(self) -> None:
        try:
            async with asyncio.TaskGroup() as starts:
                for name in in_order(self._launch.programs, self._launch.first):
                    starts.create_task(self._start(name))
        except ExceptionGroup as faults:
            raise first_of(faults) from None

    async def _start(self, name: str) -> None:
        self._living[name] = await self._starter.start(name)

    async def _keep(self, name: str) -> None:
        """Watch one program for as long as the session lasts."""
        restarts = 0
        try:
            while True:
                code = await self._living[name].end()
                assert code is not None
                await self._starter.sweep()
                following = await self._follows(name, code, restarts)
                if following is None:
                    return
                await asyncio.sleep(following.delay)
                restarts += 1
                await self._start(name)
        except OSError as error:
            self.end(Ending(Reason.InternalError, f"{name}: {(error.strerror or str(error)).lower()}"))
        except Ended as fault:
            self.end(Ending(fault.reason, fault.message))

    async def _follows(self, name: str, code: int, restarts: int) -> Restart | None:
        decided = (
            after_agent(code, restarts)
            if name == AGENT
            else after_end(code, restarts, bridge=name == BRIDGE, ready=self._was_alive(name))
        )
        excess = await self._starter.excess(name)
        ended = f"{name} {how(code)}" + (f" ({excess})" if excess else "")
        if isinstance(decided, Restart):
            self._say(f"{ended}; started again")
            return decided
        if name == AGENT:
            said = last_words(self._launch.run.log_of(name)) if code == Reason.Suspended else ""
            ending = Ending(message=said, agent=code)
            self.end(Ending(Reason.OutOfMemory, f"agent: {excess}", code) if excess else ending)
            return None
        log = self._launch.run.log_of(name)
        self._say(f"{ended}; it is not started again (see {log})")
        if decided.reason and name not in self._launch.optional:
            self.end(Ending(decided.reason, f"{ended}: {last_words(log) or 'it said nothing'} ({log})"))
        return None

    def _was_alive(self, name: str) -> bool:
        """Has it touched its ``alive`` since this session began?"""
        try:
            with self._launch.run.open_ipc() as ipc, ipc.open((name,)) as own:
                return (own.touched(layout.ALIVE_FILE) or 0) >= self._began
        except (FileFault, Ended):
            return False

    async def _stop(self, ending: Ending) -> Ending:
        """The agent, the participants side by side, the gate last, and whatever they left."""
        agent = self._living.pop(AGENT, None)
        bridge = self._living.pop(BRIDGE, None)
        others = list(self._living.values())
        now = ending.at_once
        if agent and agent.code is None:
            await stop(agent, 0.0 if now else AGENT_GRACE)
            ending = Ending(ending.reason, ending.message, agent.code, now)
        await asyncio.gather(*(stop(child, 0.0 if now else PARTICIPANT_GRACE) for child in others))
        if bridge:
            await stop(bridge, 0.0 if now else BRIDGE_GRACE)
        left = await self._starter.sweep()
        if left:
            self._say(f"{left} processes of this run could not be ended")
        return ending


def in_order(programs: tuple[str, ...], first: str) -> list[str]:
    """``first``, then the agent, then the rest: who takes longest to be ready is started earliest."""
    rank = {first: 0, AGENT: 1, BRIDGE: 2}
    return sorted(programs, key=lambda name: rank.get(name, 3))


def first_of(faults: ExceptionGroup[Exception]) -> Exception:
    """One fault stands for all that came with it."""
    found = faults.exceptions[0]
    return first_of(found) if isinstance(found, ExceptionGroup) else found


def last_words(log: os.PathLike[str]) -> str:
    """The last line of a program's log that gives a reason, for a person."""
    import json

    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 16384))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    for line in reversed(lines):
        try:
            return str(json.loads(line)["message"])[:1000]
        except (ValueError, LookupError, TypeError):
            continue
    return lines[-1][:1000] if lines else ""
