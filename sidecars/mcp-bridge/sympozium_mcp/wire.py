"""The wire to one server, whatever it is made of: when it ended and why, and how much may come over it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Final, Self

import mcp_types as types
from mcp.client._transport import ReadStream, TransportStreams
from mcp.shared.message import SessionMessage

from sympozium_mcp.window import Window
from sympozium_protocol.process import log

RATE: Final = 500.0
"""Units a second that are taken from one server, a message or 16 KiB each; all servers share one event loop."""
BURST: Final = 2000.0
"""Units at once: a long listing, or the largest message four times."""
UNIT: Final = 1 << 14

DECLINES: Final = 20
DECLINES_EVERY: Final = 10.0
"""At most so many lines of the log in so many seconds about what a server asked for in vain."""

UNREACHABLE: Final = secrets.token_hex(8)
"""Marks an error as ours: the request did not reach the server, which cannot know the word."""

BROKEN: Final = "the connection broke"
"""How an error begins which says that nobody knows what became of a request."""

_Item = SessionMessage | Exception


class Meter:
    """A bucket of tokens: whoever sends more than its rate is read more slowly, and so held back."""

    def __init__(self, rate: float = RATE, burst: float = BURST) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._at = burst, time.monotonic()

    async def take(self, amount: float = 1.0) -> None:
        """Wait until so much may be taken; more than the burst is taken as the burst."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate) - min(amount, self._burst)
        self._at = now
        if self._left < 0:
            await asyncio.sleep(-self._left / self._rate)


class Wire:
    """One connection to one server, from the outside."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.ended = asyncio.Event()
        self.why = ""
        self.spoke = False
        """Has a message of MCP come over it?"""
        self.meter = Meter()
        self._declines = Window(DECLINES, DECLINES_EVERY)

    def end(self, why: str = "") -> None:
        """The connection is of no use any more; the first reason counts."""
        if not self.ended.is_set():
            self.why = why
            self.ended.set()

    def declined(self, method: str, **how: str) -> None:
        """Tell that something was asked of us and not given."""
        if self._declines.allows():
            log("declined", server=self.server, method=method, **how)

    async def arrived(self, item: _Item) -> None:
        await self.meter.take()
        if not isinstance(item, SessionMessage):
            return
        self.spoke = True
        message = item.message
        if isinstance(message, types.JSONRPCRequest) and message.method in ("sampling/createMessage", "roots/list"):
            self.declined(message.method)
        if isinstance(message, types.JSONRPCResponse):
            _without_output_schemas(message.result)


def _without_output_schemas(result: dict[str, object]) -> None:
    """Output schemas are the server's, and checking against them would run its patterns in our only thread."""
    tools = result.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict):
            tool.pop("outputSchema", None)


class _Watched:
    """A ``ReadStream`` of the mcp package that tells the wire what comes, and when it ends."""

    def __init__(self, inner: ReadStream[_Item], wire: Wire) -> None:
        self._inner = inner
        self._wire = wire

    async def receive(self) -> _Item:
        item = await self._inner.receive()
        await self._wire.arrived(item)
        return item

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _Item:
        try:
            item = await self._inner.__anext__()
        except BaseException:
            self._wire.end()
            raise
        await self._wire.arrived(item)
        return item

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


@asynccontextmanager
async def watched(inner: AbstractAsyncContextManager[TransportStreams], wire: Wire) -> AsyncIterator[TransportStreams]:
    """``inner``, a transport of the mcp package or one like it, watched by ``wire``."""
    async with inner as (read, write):
        yield _Watched(read, wire), write
