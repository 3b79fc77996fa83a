"""A connection for as long as a program lives: opened again whenever it is lost, and read from one run at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from sympozium_protocol.bus.faults import Away
from sympozium_protocol.bus.link import Link, connect
from sympozium_protocol.bus.reader import BATCH, Stored, open_reader
from sympozium_protocol.bus.settings import BusSettings
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.exits import Ended
from sympozium_protocol.process import log

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 5.0
"""Seconds between two attempts."""


class Line:
    """``greet`` is given each new connection, to subscribe on it."""

    def __init__(self, settings: BusSettings, principal: str, greet: Callable[[Link], Awaitable[None]]) -> None:
        self._settings = settings
        self._principal = principal
        self._greet = greet
        self._link: Link | None = None
        self._open = asyncio.Event()
        self._reading = asyncio.Lock()

    @property
    def now(self) -> Link | None:
        """The connection, if there is one."""
        return self._link if self._link and not self._link.lost else None

    async def link(self) -> Link:
        """The connection, waiting until there is one."""
        while (found := self.now) is None:
            self._open.clear()
            await self._open.wait()
        return found

    async def keep(self) -> None:
        """Until cancelled. Raises Ended (BusRefused) when the server does not want us from the beginning."""
        pause = FIRST_PAUSE
        try:
            while True:
                if await self._once():
                    pause = FIRST_PAUSE
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            if self._link:
                await self._link.close()

    async def _once(self) -> bool:
        """One connection, to its end. Was there one?"""
        try:
            link = await connect(self._settings, principal=self._principal)
        except (Away, Ended) as fault:
            # once we were welcome, a refusal may be of a token that is just being renewed
            if isinstance(fault, Ended) and self._link is None:
                raise
            log("bus away", why=str(fault))
            return False
        lost = asyncio.Event()
        link.tell_when_lost(lost.set)
        try:
            await self._greet(link)
        except Away as fault:
            log("bus away", why=str(fault))
            await link.close()
            return False
        self._link = link
        self._open.set()
        await lost.wait()
        log("bus away", why="the connection was lost")
        await link.close()
        return True

    async def read(self, run: RunKey, after: int = 0, *, batch: int = BATCH) -> AsyncGenerator[Stored, None]:
        """What the stream has of the run now after that sequence. Use it within ``aclosing``.

        A connection may have one reader, so runs are read in turns, ``batch`` messages each.
        Raises Away, Ended (BusRefused).
        """
        left = 1
        first = True
        while left > 0:
            async with self._reading:
                reader = await open_reader(await self.link(), run, after, onward=False, batch=batch)
                left, first = reader.pending if first else left, False
                try:
                    for _ in range(min(left, batch)):
                        message = await reader.next()
                        after = message.seq
                        yield message
                finally:
                    await reader.close()
            left -= batch
