"""One server for as long as the run lasts: connected, listed, followed, and connected again when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from typing import Final

import mcp_types as types
from mcp import Client, MCPError
from mcp.client._transport import TransportStreams
from mcp.client.session import IncomingMessage
from mcp.client.subscriptions import SubscriptionLost
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from sympozium_mcp.access import Access
from sympozium_mcp.asking import elicitation
from sympozium_mcp.calls import Calls
from sympozium_mcp.items import Item, items
from sympozium_mcp.process import ServerProcess
from sympozium_mcp.secrets import Redactor
from sympozium_mcp.stdio import stdio
from sympozium_mcp.wire import BROKEN, UNREACHABLE, Wire, watched
from sympozium_protocol.messages.calls import Call, TextPart
from sympozium_protocol.participant.context import Context, Handler, Result
from sympozium_protocol.process import log

CONNECT_WITHIN: Final = 60.0
"""Seconds until a server has shaken hands and listed its tools: one that is fetched first takes long."""

FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 30.0
"""Seconds before a server is started again, doubled each time, and shortened by chance so that several do not start
at once."""
STEADY: Final = 30.0
"""Seconds after which a connection counts as good, and the next pause is the first again."""

RELIST_EVERY: Final = 1.0
"""Seconds at least between two lists of tools that a server says have changed."""
MOST_CHANGES: Final = 100
"""Changed lists that are followed in a run: each is a manifest, and a message of the transcript."""
RESUBSCRIBE_AFTER: Final = 5.0

LOST: Final = ("Connection closed", "SSE stream", BROKEN)
"""How the mcp package and we begin an error of the connection, whose code is that of any server's error too."""

WORDS: Final = 300
"""Characters of an error that is shown as a reason."""


class Server:
    """``changed`` is called when what it offers is another."""

    def __init__(self, access: Access, redactor: Redactor, changed: Callable[[], None]) -> None:
        self.spec = access.server
        self.name = access.server.name
        self.ready = asyncio.Event()
        """Its tools have been known once."""
        self.hopeless = ""
        """Why starting it again cannot help."""
        self.why = "it has not answered yet"
        """Why it is not there, while it is not."""
        self.items: tuple[Item, ...] = ()
        self._access = access
        self._redactor = redactor
        self._changed = changed
        self._fault = ""
        """What ended this connection, as far as is known."""
        self._calls = Calls(self.name, redactor)
        self._client: Client | None = None
        self._wire = Wire(self.name)
        self._relist = asyncio.Event()
        self._changes = 0
        self._legacy = False
        """Is the next handshake the one of the revisions before 2026-07-28?"""

    async def run(self, started: asyncio.Task[ServerProcess] | None = None) -> None:
        """Until cancelled. ``started``: its first process, which may be under way already."""
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                await self._live(started)
            except Exception as error:  # noqa: BLE001  whatever a server does costs its own tools only
                self._fault = self._fault or self._words(error)
            started = None
            self.why = self._fault
            if time.monotonic() - began > STEADY:
                pause = FIRST_PAUSE
            delay = pause * random.uniform(0.5, 1.0)  # noqa: S311  no secret depends on it
            log("server lost", server=self.name, why=self.why, again_in=round(delay, 2))
            await asyncio.sleep(delay)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _live(self, started: asyncio.Task[ServerProcess] | None) -> None:
        """One connection, from its start to its end. Raises what ended it, if nothing else says it."""
        self._fault = ""
        wire = Wire(self.name)
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(CONNECT_WITHIN):
                    client = await self._connect(stack, wire, started)
                    await self._list(client)
            except BaseException as error:
                self._legacy = not self._legacy  # a server may stumble over the newer handshake, or know no other
                if isinstance(error, TimeoutError):
                    self._fault = f"it was not ready within {CONNECT_WITHIN:g} s"
                # what the wire says is more than "connection closed"
                self._fault = self._fault or self._redactor.text(wire.why)[:WORDS]
                if not self._fault and isinstance(_first(error), MCPError):
                    self._fault = f"it refused the handshake: {self._words(error)}"
                raise
            self._up(client, wire)
            try:
                await self._follow(client, wire)
            finally:
                self._client = None
                self.why = self._fault = self._redactor.text(wire.why)[:WORDS] or "its connection ended"

    async def _connect(
        self, stack: contextlib.AsyncExitStack, wire: Wire, started: asyncio.Task[ServerProcess] | None
    ) -> Client:
        if self.spec.transport == "stdio":
            process = await stack.enter_async_context(self._process(wire, started))
            transport: AbstractAsyncContextManager[TransportStreams] = watched(stdio(process, wire), wire)
        else:
            from sympozium_mcp.web import http  # the HTTP client costs a tenth of a second, and stdio needs none

            web, transport = http(self._access, wire, self._redactor)
            await stack.enter_async_context(web)
        client = Client(
            transport,
            mode="legacy" if self._legacy else "auto",
            cache=None,
            client_info=types.Implementation(name="sympozium-mcp", version=version("sympozium-mcp")),
            elicitation_callback=elicitation(self.spec),
            message_handler=self._notified,
        )
        return await stack.enter_async_context(client)

    @contextlib.asynccontextmanager
    async def _process(self, wire: Wire, started: asyncio.Task[ServerProcess] | None) -> AsyncIterator[ServerProcess]:
        """Its process, stopped at the end; how that ended becomes the reason, where nothing else is known."""
        try:
            process = await (started or ServerProcess.spawn(self._access, self._redactor.text))
        except (OSError, ValueError) as error:
            words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self._fault = f"{self.spec.command[0]} cannot be started: {words.lower()}"
            if isinstance(error, FileNotFoundError | PermissionError | NotADirectoryError | ValueError):
                self.hopeless = self._fault
            raise
        hurried = False
        try:
            yield process
        except asyncio.CancelledError:
            hurried = True
            raise
        finally:
            if not hurried and wire.ended.is_set() and not wire.why:
                await process.settle()
                self._fault = process.end_in_words()
            await process.stop(hurried=hurried)

    def _up(self, client: Client, wire: Wire) -> None:
        self._client, self._wire = client, wire
        self.hopeless = ""
        self._legacy = client.protocol_version not in MODERN_PROTOCOL_VERSIONS
        log("server ready", server=self.name, protocol=client.protocol_version, tools=len(self.items))
        self.ready.set()
        self._changed()

    async def _list(self, client: Client) -> None:
        """Ask for its tools. Raises what the mcp package raises."""
        self._relist.clear()
        found, refused = items(self.spec, await self._calls.found(client), self._redactor)
        for own, why in refused.items():
            log("tool left out", server=self.name, tool=self._redactor.text(own)[:100], why=self._redactor.text(why))
        if not self.ready.is_set() or self._changes < MOST_CHANGES:
            self._changes += [item.tool for item in found] != [item.tool for item in self.items]
            self.items = found

    async def _follow(self, client: Client, wire: Wire) -> None:
        """Until the wire ends: list again whenever the server says so."""
        async with asyncio.TaskGroup() as tasks:
            following = [tasks.create_task(self._keep_listing(client))]
            if client.protocol_version in MODERN_PROTOCOL_VERSIONS:
                following.append(tasks.create_task(self._subscribe(client)))
            await wire.ended.wait()
            self._client, self.why = None, self._redactor.text(wire.why)[:WORDS] or "its connection ended"
            for task in following:
                task.cancel()

    async def _keep_listing(self, client: Client) -> None:
        while True:
            await self._relist.wait()
            try:
                await self._list(client)
            except Exception as error:  # noqa: BLE001  the list that is known stays
                log("list refused", server=self.name, why=self._words(error))
            self._changed()
            await asyncio.sleep(RELIST_EVERY)

    async def _subscribe(self, client: Client) -> None:
        """Revision 2026-07-28: changes come over a stream of their own, if the server has them."""
        has = client.server_capabilities.tools
        if has is None or not has.list_changed:
            return
        while True:
            try:
                async with client.listen(tools_list_changed=True) as changes:
                    async for _ in changes:
                        self._relist.set()
            except (MCPError, SubscriptionLost) as error:
                log("changes not followed", server=self.name, why=self._words(error))
            await asyncio.sleep(RESUBSCRIBE_AFTER)
            self._relist.set()  # what changed meanwhile was not told

    async def _notified(self, message: IncomingMessage) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self._relist.set()

    def handler(self, item: Item) -> Handler:
        """What answers calls of one of its tools, whether it is there or not."""

        async def answer(call: Call, context: Context) -> Result:
            client = self._client
            if client is None:
                return self._unavailable()
            context.start()
            try:
                return await item.act(client, call, context)
            except MCPError as error:
                return self._refused(error, call)
            except TimeoutError:
                return Result.error(f"{self.name} did not list it in time.")
            except (ValueError, RuntimeError) as error:
                log("answer refused", server=self.name, call=call.id, why=self._words(error))
                return Result.error(f"{self.name} answered with something that is not valid MCP.")

        return Handler(item.tool, answer, starts_itself=True)

    def _unavailable(self) -> Result:
        words = f"{self.name} is not available: {self.why}. Nothing was done; it is being started again."
        return Result(outcome="unavailable", content=(TextPart(text=words),))

    def _refused(self, error: MCPError, call: Call) -> Result:
        """An answer that is an error of the protocol, or of the connection."""
        if error.data == UNREACHABLE:
            return self._unavailable()
        if error.code == types.CONNECTION_CLOSED and error.message.startswith(LOST):
            words = f"{self.name} was lost while it answered {call.tool}, which may have taken effect: look first."
            return Result(outcome="interrupted", content=(TextPart(text=words),))
        if error.code == types.INVALID_REQUEST and error.message == "Session terminated":
            self._wire.end("it knows the session no more")
            return self._unavailable()
        return Result.error(f"{self.name} answered: {self._words(error)}", code=error.code)

    def _words(self, error: BaseException) -> str:
        """An error in one line, without a secret."""
        error = _first(error)
        text = f"{error}" if isinstance(error, MCPError) else f"{type(error).__name__}: {error}"
        return " ".join(self._redactor.text(text).split())[:WORDS]


def _first(error: BaseException) -> BaseException:
    """What happened first, of what came together."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
