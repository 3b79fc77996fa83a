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
from sympozium_web.outcomes import error
from sympozium_web.settings import Settings
from sympozium_web.skilltools import SkillTool
from sympozium_web.slots import Slots
from sympozium_web.tools import Tools


def make(
    settings: Settings, agents: Mapping[str, Agent], skills: Sequence[SkillTool], slots: Slots, scratch: Path, now: int
) -> ASGIApp:
    """``now``: seconds since the epoch, told as the time at which the models were made."""
    manager = Tools(agents, skills, slots, scratch).manager(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with manager.run():
            yield

    app = Starlette(
        routes=[
            Route("/healthz", _health, methods=["GET"]),
            *Chat(agents, slots, now).routes,
            Route("/mcp", StreamableHTTPASGIApp(manager)),
        ],
        exception_handlers={HTTPException: _refusal, ClientDisconnect: _left},
        lifespan=lifespan,
    )
    return Guard(app, settings.token, settings.max_body)


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _refusal(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, HTTPException)
    asked = f"{request.method[:20]} {request.url.path[:100]}"
    said = error(f"{asked}: {refused.detail}", "invalid_request_error")
    return JSONResponse(said, refused.status_code, refused.headers)


async def _left(request: Request, gone: Exception) -> Response:
    """The client went away while its body came: nobody reads this."""
    return Response(status_code=499)
