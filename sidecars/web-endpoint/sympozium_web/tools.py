"""/mcp: each agent is a tool, and so are its skills' tools where that is allowed. One call, one run."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from sympozium_protocol.exits import Ended, Reason
from sympozium_web.agents import Agent
from sympozium_web.live import steps
from sympozium_web.outcomes import told
from sympozium_web.runs import STOPPING, Busy, Runs, Stopping
from sympozium_web.settings import Settings
from sympozium_web.skilltools import SkillTool, call
from sympozium_web.waiting import until_done

INPUT: Final = {
    "type": "object",
    "properties": {
        "input": {"type": "string", "minLength": 1, "description": "The task, with all that the agent must know."}
    },
    "required": ["input"],
    "additionalProperties": False,
}
SESSIONS: Final = 256
"""Open sessions of clients that speak a revision before 2026-07-28."""
SESSION_IDLE: Final = 600.0
"""Seconds after which a session without a request ends."""
GONE: Final = "sympozium.gone"
"""In a request's scope: the event that is set when the request is over."""
LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
Context = ServerRequestContext[Any, Any]


class Noticed:
    """Tells what serves a request, in the request's scope, that the request is over."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = scope[GONE] = asyncio.Event()
        try:
            await self._app(scope, receive, send)
        finally:
            gone.set()


class Tools:
    """The MCP half of the server."""

    def __init__(self, agents: Mapping[str, Agent], skills: Sequence[SkillTool], runs: Runs, scratch: Path) -> None:
        self._agents = {agent_tool_name(name): agent for name, agent in agents.items()}
        if len(self._agents) < len(agents):
            raise Ended(Reason.Usage, f"{', '.join(agents)}: two of them have one name as tools; pick with --instance")
        self._skills = {tool.name: tool for tool in skills}
        self._runs = runs
        self._scratch = scratch

    def manager(self, settings: Settings) -> StreamableHTTPSessionManager:
        """What answers at /mcp; it has to be running (``run()``) meanwhile."""
        server: Server[Any] = Server(
            "sympozium",
            version=version("sympozium-web"),
            instructions="Each tool whose name begins with ask_ is an agent that runs once for the task it is given.",
            on_list_tools=self._list,
            on_call_tool=self._call,
        )
        return StreamableHTTPSessionManager(
            server,
            security_settings=_security(settings),
            max_request_body_size=settings.max_body,
            max_sessions=SESSIONS,
            session_idle_timeout=SESSION_IDLE,
        )

    async def _list(self, context: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        asks = [_ask_tool(name, agent) for name, agent in self._agents.items()]
        return types.ListToolsResult(tools=[*asks, *(_skill_tool(tool) for tool in self._skills.values())])

    async def _call(self, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        """As long as somebody waits: a client that went away says so in no message before revision 2026-07-28."""
        answering = asyncio.ensure_future(self._answered(context, params))
        assert isinstance(context.request, Request)
        gone = asyncio.ensure_future(context.request.scope[GONE].wait())
        either: list[asyncio.Future[Any]] = [answering, gone]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return answering.result() if answering.done() else _result(False, "cancelled: the client went away")
        finally:
            answering.cancel()
            gone.cancel()

    async def _answered(self, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        try:
            return await self._answer(context, params)
        except Busy:
            return _result(False, "unavailable: as many runs as there may be are going on; try again later")
        except Stopping:
            return _result(False, f"unavailable: {STOPPING}")

    async def _answer(self, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        arguments = params.arguments or {}
        if agent := self._agents.get(params.name):
            text = arguments.get("input")
            if not isinstance(text, str) or not text.strip():
                return _result(False, "error: input: must be a text that is not empty")
            if (size := agent.excess(text)) > 0:
                return _result(False, f"error: input: is {size} bytes longer than a run takes")
            return await self._ask(context, agent, text)
        if tool := self._skills.get(params.name):
            return _result(*await call(tool, arguments, self._runs, self._scratch))
        raise MCPError(types.INVALID_PARAMS, f"there is no tool {params.name[:100]}")

    async def _ask(self, context: Context, agent: Agent, text: str) -> types.CallToolResult:
        async with self._runs.started(agent.arguments, text) as run:
            number = 0
            async with contextlib.aclosing(until_done(steps(run.directory), run.ended)) as lines:
                async for line in lines:
                    number += 1
                    await context.session.report_progress(number, message=line)
            found = await run.ended
        if found.answer is None:
            return _result(False, f"{told(found.reason, found.message)} (run {found.run})")
        return _result(True, found.answer)


def agent_tool_name(agent: str) -> str:
    return "ask_" + re.sub(r"[^A-Za-z0-9_-]", "-", agent.replace("/", "__"))[:120]


def _ask_tool(name: str, agent: Agent) -> types.Tool:
    uses = ", ".join(p.name for p in agent.spec.participants if p.role in ("skill", "mcp", "memory")) or "none"
    description = f"Gives the agent {agent.name} a task and returns its answer. It works by itself, with: {uses}."
    return types.Tool(name=name, description=description, input_schema=dict(INPUT))


def _skill_tool(found: SkillTool) -> types.Tool:
    hints = types.ToolAnnotations(read_only_hint=found.effect == "read", idempotent_hint=found.effect != "write")
    return types.Tool(
        name=found.name, description=found.tool.description, input_schema=dict(found.tool.parameters), annotations=hints
    )


def _result(good: bool, text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=not good)


def _security(settings: Settings) -> TransportSecuritySettings:
    """Only names that this server is meant to be reached by: a page in a browser cannot rebind its own to us."""
    names = (*LOOPBACK, settings.host, *settings.allowed_hosts)
    hosts = [entry for name in dict.fromkeys(names) for entry in (name, f"{name}:*")]
    origins = [f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts]
    return TransportSecuritySettings(enable_dns_rebinding_protection=True, allowed_hosts=hosts, allowed_origins=origins)
