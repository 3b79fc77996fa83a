"""Readers of runs, made for who may read: one who made its own could have it deliver to any subject."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Open, Opened, Turned
from sympozium_protocol.bus.faults import Away
from sympozium_protocol.bus.link import Link, Message
from sympozium_protocol.bus.reader import delete_reader, make_reader
from sympozium_protocol.bus.subjects import BadSubject, RunKey
from sympozium_protocol.exits import Ended
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.process import log


class Readers:
    """Of each principal the newest: whoever comes again and again does not use up what the server has room for."""

    def __init__(self, link: Link, at_most: int) -> None:
        self._link = link
        self._at_most = at_most
        self._names: dict[str, deque[str]] = {}
        self._asking: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    async def heard(self, message: Message) -> None:
        """A request for a reader. That its sender may ask for it is the server's to know: it stands in the subject."""
        try:
            run, name = subjects.read_reader(message.subject)
        except BadSubject as fault:
            log("bus-auth", no_reader=str(fault))
            return
        principal = name.partition("-")[0]
        if not may_answer(message.reply, name):
            log("bus-auth", no_reader="the answer was wanted at a place that is not the asker's", name=name)
        elif self._asking[principal] < self._at_most:  # who asks on and on before he has his answers is not heard
            self._asking[principal] += 1
            task = asyncio.create_task(self._answer(message, run, name, principal))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Message, run: RunKey, name: str, principal: str) -> None:
        try:
            after = Open.decode(bytes(message.data)).after
            found = Opened(pending=await make_reader(self._link, run, name, after)).encode()
            await self._forget_oldest(principal, name)
        except (InvalidDocument, Ended, Away) as fault:
            log("bus-auth", no_reader=str(fault), subject=message.subject)
            found = Turned(why=str(fault)).encode()
        finally:
            self._asking[principal] -= 1
        with contextlib.suppress(Away):  # whoever asked asks again
            await self._link.publish(message.reply, found)

    async def _forget_oldest(self, principal: str, name: str) -> None:
        names = self._names.setdefault(principal, deque())
        if name in names:
            names.remove(name)
        names.append(name)
        while len(names) > self._at_most:
            await delete_reader(self._link, names.popleft())


def may_answer(place: str, reader: str) -> bool:
    """Pure: is it the asker's own? We may publish anywhere, and must not be made to.

    A request from another account comes with a subject of the server's own making.
    """
    return place.startswith(("_R_.", f"{subjects.inbox(reader)}."))
