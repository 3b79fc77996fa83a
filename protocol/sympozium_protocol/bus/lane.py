"""The one subject on which what is done about a call elsewhere is said: by one copy at a time, and each thing once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, TypeVar

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import MESSAGE, Record, Records
from sympozium_protocol.bus.faults import Away, Superseded
from sympozium_protocol.bus.gather import Gatherer
from sympozium_protocol.bus.line import Line
from sympozium_protocol.bus.places import reply_path, started_path
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.bus.writer import append
from sympozium_protocol.process import log

T = TypeVar("T")

PAUSE: Final = 0.5
"""Seconds until what the server had no room or no time for is said again."""


@dataclass(frozen=True, slots=True)
class Left:
    """What the stream has of a call. ``last``: of its subject."""

    last: int = 0
    started: bytes | None = None
    answered: bool = False


class Lane:
    """Of one call. ``last`` is the sequence of the subject's last message as we know it; 0: of none.

    ``since``: nothing of ours on it can be at this sequence of the stream or before.
    """

    def __init__(
        self, line: Line, run: RunKey, participant: str, call: str, *, digest: str, writer: str, since: int
    ) -> None:
        self.run = run
        self.participant = participant
        self.call = call
        self.digest = digest
        """Of the Call's bytes."""
        self.last = 0
        self._line = line
        self._writer = writer
        self._since = since
        self._subject = subjects.elsewhere(run, participant, call)
        self._unsure: bytes | None = None
        """What we were saying when we were stopped: the stream may have it."""

    async def say(self, records: Iterable[Record]) -> None:
        """When it is in the stream, in as many messages as it takes; while the bus is away it waits.

        Raises Superseded when another copy spoke since we last did, and Ended (BusRefused).
        """
        for message in messages(records, self._writer):
            await self._say(message)

    async def _say(self, data: bytes) -> None:
        doubtful = False
        if self._unsure is not None:
            await self._arrived(self._unsure)
        self._unsure = data
        while True:
            link = await self._line.link()
            try:
                self.last = await append(link, self._subject, data, last=self.last)
                self._unsure = None
                return
            except Away as fault:
                log("not said yet", call=self.call, why=str(fault))
                doubtful = True
                await asyncio.sleep(PAUSE)
            except Superseded:
                if not doubtful or not await self._arrived(data):
                    raise
                self._unsure = None
                return

    async def _arrived(self, data: bytes) -> bool:
        """Is what follows ``last`` what we said, and only its acknowledgement was lost?"""
        return await self._waiting(lambda: self._find(data))

    async def _waiting(self, read: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await read()
            except Away as fault:
                log("not read yet", call=self.call, why=str(fault))
                await asyncio.sleep(PAUSE)

    async def _find(self, data: bytes) -> bool:
        async with aclosing(self._line.read(self.run, max(self.last, self._since))) as found:
            async for message in found:
                if message.subject == self._subject:
                    if message.data == data:
                        self.last = message.seq
                        return True
                    return False
        return False

    async def look(self) -> Left:
        """What others said on it; we go on after that. While the bus is away it waits. Raises BadRecord, Ended."""
        found = await self._waiting(self._look)
        self.last = found.last
        return found

    async def _look(self) -> Left:
        gatherer, found = Gatherer(self.run), Left()
        async with aclosing(self._line.read(self.run)) as read:
            async for message in read:
                if message.subject != self._subject:
                    continue
                files = {one.path: one.data for one in gatherer.take(message)}
                found = Left(
                    message.seq,
                    found.started or files.get(started_path(self.participant, self.call)),
                    found.answered or reply_path(self.participant, self.call) in files,
                )
        return found


def messages(records: Iterable[Record], writer: str) -> Iterator[bytes]:
    """Records, as few messages as fit."""
    together: list[Record] = []
    size = 0
    for record in records:
        if together and size + len(record.data) > MESSAGE:
            yield Records(writer=writer, records=tuple(together)).encode()
            together, size = [], 0
        together.append(record)
        size += len(record.data)
    if together:
        yield Records(writer=writer, records=tuple(together)).encode()
