"""The server's life: check the documents, listen, serve until told to stop, leave no run behind."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import uvicorn

from sympozium_protocol.exits import Ended, Reason
from sympozium_web.agents import Agent, agents_of
from sympozium_web.app import make
from sympozium_web.connections import Connection
from sympozium_web.logs import to_lines
from sympozium_web.settings import Settings, runs_root
from sympozium_web.skilltools import SkillTool, skill_tools
from sympozium_web.slots import Slots

SHUTDOWN_WITHIN = 1
"""Seconds that requests have to end after SIGTERM, before their runs are cancelled."""
BACKLOG = 128


class Server(uvicorn.Server):
    """One whose signals are ours: the runs have to end before the program does."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        self.should_exit = True


async def serve(settings: Settings) -> None:
    """Until SIGTERM or SIGINT. Raises Ended when the documents or the address cannot be used."""
    to_lines()
    agents = await agents_of(settings)
    slots = Slots(runs_root(), settings.max_runs, settings.keep)
    listening = listen(settings.host, settings.port)
    with listening, tempfile.TemporaryDirectory(prefix="sympozium-web-") as scratch:
        skills = await _skills(settings, agents, slots, Path(scratch))
        app = make(settings, agents, skills, slots, Path(scratch), int(time.time()))
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            http=Connection,
            ws="none",
            server_header=False,
            proxy_headers=False,
            lifespan="on",
            timeout_graceful_shutdown=SHUTDOWN_WITHIN,
        )
        _say(settings, listening, list(agents))
        server = Server(config)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, server.stop)
        await server.serve(sockets=[listening])
        await slots.idle()


async def _skills(settings: Settings, agents: Mapping[str, Agent], slots: Slots, scratch: Path) -> list[SkillTool]:
    if not settings.expose_tools:
        return []
    found = [await skill_tools(agent, slots, scratch) for agent in agents.values()]
    return [tool for tools in found for tool in tools]


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises Ended (Usage) naming the address."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(BACKLOG)  # from here on a client waits instead of being refused
    except OSError as error:
        raise Ended(Reason.Usage, f"{host}:{port}: {(error.strerror or str(error)).lower()}") from None
    found.set_inheritable(False)
    return found


def _say(settings: Settings, listening: socket.socket, names: list[str]) -> None:
    port = listening.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    sys.stderr.write(f"serving {', '.join(names)} at http://{host}:{port}/v1 and /mcp\n")
    sys.stderr.flush()
