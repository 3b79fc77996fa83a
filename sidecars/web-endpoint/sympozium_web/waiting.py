"""Waiting for a run while something else may happen: the client goes away, the agent takes a step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, TypeVar

from starlette.requests import Request

T = TypeVar("T")


async def unless_gone(request: Request, ended: asyncio.Future[T]) -> T | None:
    """What is awaited; None when the client goes away first."""
    gone = asyncio.ensure_future(_gone(request))
    either: list[asyncio.Future[Any]] = [ended, gone]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        return ended.result() if ended.done() else None
    finally:
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


async def until_done(lines: AsyncGenerator[str, None], ended: asyncio.Future[Any]) -> AsyncGenerator[str, None]:
    """The lines as they come, until ``ended`` is there. ``lines`` is closed at the end, whatever ends it."""
    coming: asyncio.Future[str | None] | None = None
    try:
        while not ended.done():
            coming = asyncio.ensure_future(anext(lines, None))
            await asyncio.wait([coming, ended], return_when=asyncio.FIRST_COMPLETED)
            line = coming.result() if coming.done() else None
            if line is None:
                await asyncio.wait([ended])
                return
            yield line
    finally:
        if coming is not None:  # one that still runs could not be closed
            coming.cancel()
            await asyncio.wait([coming])
        await lines.aclose()
