"""One server for as long as the run lasts: connected, listed, followed, and connected again when it is lost."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

import mcp_types as types
from mcp import Client, MCPError
from mcp.client.session import IncomingMessage
from mcp.client.subscriptions import SubscriptionLost
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from sympozium_mcp.access import Access
from sympozium_mcp.calls import Calls
from sympozium_mcp.connection import Connection, Started, words
from sympozium_mcp.items import Item, items
from sympozium_mcp.secrets import Redactor
from sympozium_mcp.wire import BROKEN, UNREACHABLE, Wire
from sympozium_protocol.messages.calls import Call, TextPart
from sympozium_protocol.participant.context import Context, Handler, Result
from sympozium_protocol.process import log

CONNECT_WITHIN: Final = 60.0
"""Seconds until a server has shaken hands and listed its tools: one that is fetched first takes long."""

FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 30.0
"""Seconds before a server is started again, doubled each time, and shortened by chance so that several do not start
at once."""
MOST_STILLBORN: Final = 3
"""Lives in a row of a server that was never there, each over before it said a word, until waiting for it is given up:
with both handshakes, and one of them twice."""
STEADY: Final = 30.0
"""Seconds after which a connection counts as good, and the next pause is the first again."""

RELIST_EVERY: Final = 1.0
"""Seconds at least between two lists of tools that a server says have changed."""
MOST_CHANGES: Final = 100
"""Changed lists that are followed in a run: each is a manifest, and a message of the transcript."""
MOST_LEFT_OUT: Final = 20
"""Tools of a list whose absence is explained in the log one by one."""

FIRST_RESUBSCRIPTION: Final = 1.0
LONGEST_RESUBSCRIPTION: Final = 60.0
"""Seconds until changes are subscribed to again when their stream has ended, doubled each time: then the tools are
listed once more too, since what changed meanwhile was not told."""

LOST: Final = ("Connection closed", "SSE stream", BROKEN)
"""How the mcp package and we begin an error of the connection, whose code is that of any server's error too."""

ENDED: Final = "its connection ended"


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
        self.ending = False
        """Does the program end?"""
        self.items: tuple[Item, ...] = ()
        self._access = access
        self._redactor = redactor
        self._changed = changed
        self._calls = Calls(self.name, redactor)
        self._client: Client | None = None
        self._wire = Wire(self.name)
        self._relist = asyncio.Event()
        self._changes = 0
        self._left_out: dict[str, str] = {}
        self._legacy = False
        """Is the next handshake the one of the revisions before 2026-07-28?"""

    async def run(self, started: Started | None = None) -> None:
        """Until cancelled. ``started``: its first process, which may be under way already."""
        pause, stillborn = FIRST_PAUSE, 0
        while True:
            began = time.monotonic()
            connection = Connection(self._access, self._redactor)
            try:
                await self._live(connection, started)
            except Exception as error:  # noqa: BLE001  whatever a server does costs its own tools only
                heed_cancellation()
                connection.fault = connection.fault or words(error, self._redactor)
            started = None
            self.why = connection.fault or ENDED
            stillborn = stillborn + 1 if connection.stillborn and not self.ready.is_set() else 0
            self.hopeless = self.why if connection.hopeless or stillborn >= MOST_STILLBORN else ""
            if time.monotonic() - began > STEADY:
                pause = FIRST_PAUSE
            delay = pause * random.uniform(0.5, 1.0)  # noqa: S311  no secret depends on it
            log("server lost", server=self.name, why=self.why, again_in=round(delay, 2))
            await asyncio.sleep(delay)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _live(self, connection: Connection, started: Started | None) -> None:
        """One connection, from its start to its end. Raises what ended it, unless the connection knows."""
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(CONNECT_WITHIN):
                    client = await connection.open(stack, started, self._notified, legacy=self._legacy)
                    await self._list(client)
            except Exception as error:
                self._legacy = not self._legacy  # a server may stumble over the newer handshake, or know no other
                if isinstance(error, TimeoutError):
                    connection.fault = f"it was not ready within {CONNECT_WITHIN:g} s"
                raise
            self._up(client, connection)
            try:
                await self._follow(client, connection)
            finally:
                self._client = None

    def _up(self, client: Client, connection: Connection) -> None:
        self._client, self._wire = client, connection.wire
        self._legacy = client.protocol_version not in MODERN_PROTOCOL_VERSIONS
        log("server ready", server=self.name, protocol=client.protocol_version, tools=len(self.items))
        self.ready.set()

    async def _list(self, client: Client) -> None:
        """Ask for its tools. Raises what the mcp package raises."""
        self._relist.clear()
        found, refused = items(self.spec, await self._calls.found(client), self._redactor)
        news = [(own, why) for own, why in refused.items() if self._left_out.get(own) != why]
        for own, why in news[:MOST_LEFT_OUT]:
            log("tool left out", server=self.name, tool=self._redactor.text(own)[:100], why=self._redactor.text(why))
        if len(news) > MOST_LEFT_OUT:
            log("more tools left out", server=self.name, tools=len(news) - MOST_LEFT_OUT)
        self._left_out = refused
        changed = [item.tool for item in found] != [item.tool for item in self.items]
        if changed and self._changes <= MOST_CHANGES:
            self._changes += 1
            self.items = found
            self._changed()

    async def _follow(self, client: Client, connection: Connection) -> None:
        """Until the wire ends: list again whenever the server says so."""
        async with asyncio.TaskGroup() as tasks:
            following = [tasks.create_task(self._keep_listing(client))]
            if client.protocol_version in MODERN_PROTOCOL_VERSIONS:
                following.append(tasks.create_task(self._subscribe(client)))
            await connection.wire.ended.wait()
            self._client, self.why = None, connection.fault or ENDED
            for task in following:
                task.cancel()

    async def _keep_listing(self, client: Client) -> None:
        while True:
            await self._relist.wait()
            try:
                await self._list(client)
            except Exception as error:  # noqa: BLE001  the list that is known stays
                heed_cancellation()
                log("list refused", server=self.name, why=words(error, self._redactor))
            await asyncio.sleep(RELIST_EVERY)

    async def _subscribe(self, client: Client) -> None:
        """Revision 2026-07-28: changes come over a stream of their own, if the server has them."""
        has = client.server_capabilities.tools
        if has is None or not has.list_changed:
            return
        pause = FIRST_RESUBSCRIPTION
        while True:
            began = time.monotonic()
            try:
                async with client.listen(tools_list_changed=True) as changes:
                    async for _ in changes:
                        self._relist.set()
            except (MCPError, SubscriptionLost) as error:
                heed_cancellation()
                log("changes not followed", server=self.name, why=words(error, self._redactor))
            if time.monotonic() - began > STEADY:
                pause = FIRST_RESUBSCRIPTION
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_RESUBSCRIPTION)
            self._relist.set()

    async def _notified(self, message: IncomingMessage) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self._relist.set()

    def handler(self, item: Item) -> Handler:
        """What answers calls of one of its tools, whether it is there or not."""

        async def answer(call: Call, context: Context) -> Result:
            result = await self._answer(item, call, context)
            if self.ending and result.outcome != "ok":
                await asyncio.Event().wait()  # we ended it: what became of the call is for the next life to judge
            return result

        return Handler(item.tool, answer, starts_itself=True)

    async def _answer(self, item: Item, call: Call, context: Context) -> Result:
        client = self._client
        if client is None:
            return self._unavailable(self.why)
        await context.start()
        try:
            return await item.act(client, call, context)
        except MCPError as error:
            return self._refused(error, call)
        except TimeoutError:
            return Result.error(f"{self.name} did not list it in time.")
        except (ValueError, RuntimeError) as error:
            log("answer refused", server=self.name, call=call.id, why=words(error, self._redactor))
            return Result.error(f"{self.name} answered with something that is not valid MCP.")

    def _unavailable(self, why: str) -> Result:
        text = f"{self.name} is not available: {why}. Nothing was done; it may be back later."
        return Result(outcome="unavailable", content=(TextPart(text=text),))

    def _refused(self, error: MCPError, call: Call) -> Result:
        """An answer that is an error of the protocol, or of the connection."""
        if error.data == UNREACHABLE:
            return self._unavailable(words(error, self._redactor))
        if error.code == types.CONNECTION_CLOSED and error.message.startswith(LOST):
            text = f"{self.name} was lost while it answered {call.tool}, which may have taken effect: look first."
            return Result(outcome="interrupted", content=(TextPart(text=text),))
        if error.code == types.INVALID_REQUEST and error.message == "Session terminated":
            why = "it knows the session no more"
            self._wire.end(why)
            return self._unavailable(why)
        return Result.error(f"{self.name} answered: {words(error, self._redactor)}", code=error.code)


def heed_cancellation() -> None:
    """Raises CancelledError if this task was cancelled: a task group of anyio forgets that when one of its own tasks
    fails meanwhile, and raises that failure in its place."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
