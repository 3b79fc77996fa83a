"""The server put together: /v1, /mcp and /healthz behind one guard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from mcp.server.streamable_http_manager import StreamableHTTPASGIApp
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sympozium_web.agents import Agent
from sympozium_web.chat import Chat
from sympozium_web.guard import Guard
from sympozium_web.outcomes import ONCE, error
from sympozium_web.runs import Runs
from sympozium_web.settings import Settings
from sympozium_web.skilltools import SkillTool
from sympozium_web.tools import Noticed, Tools

THERE = "there are /v1/chat/completions, /v1/models, /mcp and /healthz"


def make(
    settings: Settings, agents: Mapping[str, Agent], skills: Sequence[SkillTool], runs: Runs, scratch: Path, now: int
) -> ASGIApp:
    """``now``: seconds since the epoch, told as the time at which the models were made."""
    manager = Tools(agents, skills, runs, scratch).manager(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with manager.run():
            yield

    app = Starlette(
        routes=[
            Route("/healthz", _health, methods=["GET"]),
            *Chat(agents, runs, now).routes,
            Route("/mcp", Noticed(StreamableHTTPASGIApp(manager))),
        ],
        exception_handlers={HTTPException: _refusal, ClientDisconnect: _left, Exception: _broken},
        lifespan=lifespan,
    )
    return Guard(app, settings.token, settings.max_body)


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _refusal(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, HTTPException)
    asked = f"{request.method[:20]} {request.url.path[:100]}"
    code = "request_too_large" if refused.status_code == 413 else None
    there = f" ({THERE})" if refused.status_code == 404 and refused.detail == "Not Found" else ""
    said = error(f"{asked}: {refused.detail}{there}", "invalid_request_error", code=code)
    return JSONResponse(said, refused.status_code, refused.headers)


async def _broken(request: Request, fault: Exception) -> Response:
    """A fault of this program: its log has it, the client an error of the usual shape."""
    said = error("the server failed; its log says why", "server_error", code="InternalError")
    return JSONResponse(said, 500, {**ONCE, "connection": "close"})


async def _left(request: Request, gone: Exception) -> Response:
    """The client went away while its body came: nobody reads this."""
    return Response(status_code=499)
