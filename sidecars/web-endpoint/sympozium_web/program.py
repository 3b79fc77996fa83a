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
from starlette.types import ASGIApp

from sympozium_protocol.exits import Ended, Reason
from sympozium_web.agents import Agent, agents_of
from sympozium_web.app import make
from sympozium_web.connections import Connection
from sympozium_web.logs import to_lines
from sympozium_web.runs import Runs
from sympozium_web.settings import Settings, runs_root
from sympozium_web.skilltools import SkillTool, skill_tools

SHUTDOWN_WITHIN = 1
"""Seconds that answers have to go out after SIGTERM; their runs are cancelled at once, and waited for."""
BACKLOG = 128


class Server(uvicorn.Server):
    """One whose signals are ours: the runs have to end before the program does."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(settings: Settings) -> None:
    """Until SIGTERM or SIGINT. Raises Ended when the documents or the address cannot be used."""
    to_lines()
    runs = Runs(runs_root(), settings.max_runs, settings.keep)
    with contextlib.ExitStack() as held:
        scratch = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="sympozium-web-")))
        agents = await agents_of(settings, scratch)
        listening = held.enter_context(listen(settings.host, settings.port))
        skills = await _skills(settings, agents, runs, scratch)
        server = Server(_config(make(settings, agents, skills, runs, scratch, int(time.time()))))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, _stop, server, runs)
        _say(settings, listening, list(agents))
        try:
            await server.serve(sockets=[listening])
        finally:
            runs.stop()
            await runs.idle()


def _stop(server: Server, runs: Runs) -> None:
    """Whoever waits is told at once; the runs come to their end meanwhile."""
    server.should_exit = True
    runs.stop()


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        timeout_graceful_shutdown=SHUTDOWN_WITHIN,
    )


async def _skills(settings: Settings, agents: Mapping[str, Agent], runs: Runs, scratch: Path) -> list[SkillTool]:
    if not settings.expose_tools:
        return []
    found = [await skill_tools(agent, runs, scratch) for agent in agents.values()]
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
    if settings.token_made:
        sys.stderr.write(f"token: {settings.token}\n(clients present it: Authorization: Bearer TOKEN)\n")
    sys.stderr.flush()
