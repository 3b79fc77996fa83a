"""Waiting for a run while something else may happen: the client goes away, the agent takes a step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

T = TypeVar("T")


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """What ``work`` gives; None, and ``work`` cancelled to its end, when the client goes away first."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait([working, gone], return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        for task in (gone, working):
            task.cancel()
        await asyncio.wait([gone, working])


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


async def until_done(lines: AsyncGenerator[str, None], working: asyncio.Future[Any]) -> AsyncGenerator[str, None]:
    """The lines as they come, until ``working`` is done. ``lines`` is closed at the end, whatever ends it."""
    coming: asyncio.Future[str | None] | None = None
    try:
        while not working.done():
            coming = asyncio.ensure_future(anext(lines, None))
            await asyncio.wait([coming, working], return_when=asyncio.FIRST_COMPLETED)
            line = coming.result() if coming.done() else None
            if line is None:
                await asyncio.wait([working])
                return
            yield line
    finally:
        if coming is not None:  # one that still runs could not be closed
            coming.cancel()
            await asyncio.wait([coming])
        await lines.aclose()
