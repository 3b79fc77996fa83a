"""One connection to one server: its process or HTTP client, the session over it, and what ended it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Final

import mcp_types as types
from mcp import Client, MCPError
from mcp.client._transport import TransportStreams
from mcp.client.session import MessageHandlerFnT

from sympozium_mcp.access import Access
from sympozium_mcp.asking import elicitation
from sympozium_mcp.process import ServerProcess
from sympozium_mcp.secrets import Redactor
from sympozium_mcp.stdio import stdio
from sympozium_mcp.wire import UNREACHABLE, Wire, watched

WORDS: Final = 300
"""Characters of an error that is shown as a reason."""

Started = asyncio.Task[ServerProcess]
"""A process that is on its way."""


class Connection:
    """Entered and left in one task, as the scopes of the mcp package ask for."""

    def __init__(self, access: Access, redactor: Redactor) -> None:
        self.wire = Wire(access.server.name)
        self.hopeless = False
        """Cannot another one be made either?"""
        self.stillborn = False
        """Did its process end by itself before it had said a word of MCP?"""
        self._access = access
        self._redactor = redactor
        self._fault = ""

    @property
    def fault(self) -> str:
        """What ended it, in words without a secret; empty while nothing is known."""
        return self._fault or self._redactor.text(self.wire.why)[:WORDS]

    @fault.setter
    def fault(self, why: str) -> None:
        self._fault = why

    async def open(
        self, stack: AsyncExitStack, started: Started | None, notified: MessageHandlerFnT, *, legacy: bool
    ) -> Client:
        """The session, shaken hands with and closed with ``stack``. Raises whatever kept it from that.

        ``legacy``: with the handshake of the revisions before 2026-07-28 at once; else that is tried second.
        """
        client = Client(
            await self._transport(stack, started),
            mode="legacy" if legacy else "auto",
            cache=None,  # a list is asked for when it has changed
            client_info=types.Implementation(name="sympozium-mcp", version=version("sympozium-mcp")),
            elicitation_callback=elicitation(self._access.server, self.wire),
            message_handler=notified,
        )
        try:
            return await stack.enter_async_context(client)
        except Exception as error:
            found = first(error)
            if isinstance(found, MCPError) and not self.fault:  # which knows more than "connection closed"
                refused = "" if found.data == UNREACHABLE else "it refused the handshake: "
                self.fault = f"{refused}{words(error, self._redactor)}"
            raise

    async def _transport(
        self, stack: AsyncExitStack, started: Started | None
    ) -> AbstractAsyncContextManager[TransportStreams]:
        if self._access.server.transport == "stdio":
            process = await stack.enter_async_context(self._process(started))
            return watched(stdio(process, self.wire), self.wire)
        from sympozium_mcp.web import http  # the HTTP client costs a tenth of a second, and stdio needs none

        client, transport = http(self._access, self.wire, self._redactor)
        await stack.enter_async_context(client)
        return transport

    @asynccontextmanager
    async def _process(self, started: Started | None) -> AsyncIterator[ServerProcess]:
        """Its process, stopped at the end; how that ended becomes the reason, where nothing else is known."""
        process = await self._spawned(started)
        hurried = False
        try:
            yield process
        except asyncio.CancelledError:
            hurried = True
            raise
        finally:
            if not hurried and self.wire.ended.is_set() and not self.wire.why:
                await process.settle()
                self.fault = process.end_in_words()
                self.stillborn = process.ended and not self.wire.spoke
            await process.stop(hurried=hurried)

    async def _spawned(self, started: Started | None) -> ServerProcess:
        try:
            return await (started or ServerProcess.spawn(self._access, self._redactor.text))
        except (OSError, ValueError) as error:
            self.fault = f"{self._access.server.command[0]} cannot be started: {not_started(self._access, error)}"
            self.hopeless = isinstance(error, FileNotFoundError | PermissionError | NotADirectoryError | ValueError)
            raise


def not_started(access: Access, error: OSError | ValueError) -> str:
    """Why its command cannot be started. What is missing may well be there where the run was asked for."""
    program = access.server.command[0]
    if isinstance(error, FileNotFoundError):
        if shutil.which(program, path=access.env.get("PATH")):
            return "what its first line names as its interpreter is not where the MCP bridge runs"
        return f"there is no {'file' if '/' in program else 'program'} {program} where the MCP bridge runs"
    return ((error.strerror if isinstance(error, OSError) else "") or str(error)).lower()


def words(error: BaseException, redactor: Redactor) -> str:
    """An error in one line, without a secret."""
    error = first(error)
    text = f"{error}" if isinstance(error, MCPError) else f"{type(error).__name__}: {error}"
    return " ".join(redactor.text(text).split())[:WORDS]


def first(error: BaseException) -> BaseException:
    """What happened first, of what came together."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
