"""Standing in for participants elsewhere: their calls go over the bus, and what comes back becomes their files.

The agent cannot tell: ``started`` is there before the call is sent, then progress, then the one reply. Whatever is
asked of whoever answers is asked again when he falls silent; that it is done once is his part (``bus/service.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from typing import Final

from sympozium_bridge.journal import Journal
from sympozium_bridge.standin import AGAIN_AFTER, Asked, StandIn
from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Request, Taken, Turned
from sympozium_protocol.bus.faults import Away, NobodyThere
from sympozium_protocol.bus.gather import Found
from sympozium_protocol.bus.link import Link, Message
from sympozium_protocol.bus.subjects import Elsewhere, RunKey
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.process import log
from sympozium_protocol.waiting import stay_alive

LOOK_EVERY: Final = 1.0
ROOM: Final = 8192
"""Bytes of a message that are not its body."""


class StandIns:
    """All of one run. ``position``: the sequence up to which the stream has what the run's calls rest on."""

    def __init__(self, run: RunKey, lanes: Iterable[StandIn], journal: Journal) -> None:
        self._run = run
        self._lanes = {lane.name: lane for lane in lanes}
        self._journal = journal
        self.position: Callable[[], int] = lambda: 0
        self._news = asyncio.Event()

    def look(self) -> None:
        """Something may have changed: a call allowed, withdrawn, or safe in the stream."""
        self._news.set()

    def allowed(self, participant: str, call_id: str, call: bytes, verdict: bytes) -> None:
        """A call may be made now."""
        lane = self._lanes.get(participant)
        if lane is not None:
            lane.begin(call_id, call, verdict, self._journal.mark)
            self._news.set()

    def found(self, found: Found, at: Elsewhere) -> str:
        """Something that was said elsewhere is in the stream; why it cannot be used, if it cannot."""
        lane = self._lanes.get(at.participant)
        if lane is None:
            return f"{at.participant} does not live elsewhere"
        why = lane.take(found, at.call)
        self._news.set()
        return why

    def restore(self, path: str, data: bytes) -> bool:
        """A reply of our own that a former life published. Is it one?"""
        lane = self._lanes.get(path.partition("/")[0])
        return lane is not None and lane.restore(path, data)

    async def stay_alive(self) -> None:
        """As the participants would. Raises CannotWrite."""
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes.values():
                tasks.create_task(stay_alive(lane.own))

    # -- with a connection -----------------------------------------------------------------------------------------

    async def serve(self, link: Link) -> None:
        """Send what is to be sent, for as long as the connection lasts. Raises Away."""
        if not self._lanes:
            return
        await link.subscribe(subjects.live(self._run), self._heard)
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes.values():
                tasks.create_task(self._offer(link, lane))
            attended: set[tuple[str, str]] = set()
            while True:
                self._news.clear()
                for lane in self._lanes.values():
                    for asked in lane.open.values():
                        asked.news.set()
                        if (lane.name, asked.id) not in attended and self._journal.reached(asked.mark):
                            attended.add((lane.name, asked.id))
                            tasks.create_task(self._attend(link, lane, asked))
                await self._news.wait()

    async def _heard(self, message: Message) -> None:
        parts = message.subject.split(".")
        if len(parts) != 7 or (lane := self._lanes.get(parts[5])) is None:
            return
        if parts[4] == "working":
            lane.sign_of_life(parts[6], bytes(message.data))
        elif parts[4] == "progress":
            lane.show(parts[6], bytes(message.data))

    async def _offer(self, link: Link, lane: StandIn) -> None:
        """The manifest, from whoever answers."""
        while not lane.offered:
            try:
                data = await link.request(subjects.manifest(lane.service), b"")
                lane.offer(data)
            except NobodyThere:
                lane.say_unready("nobody on the bus answers for it")
            except Away:
                if link.lost:
                    raise
            except InvalidDocument as fault:
                log("manifest refused", participant=lane.name, why=fault.why)
            if not lane.offered:
                await asyncio.sleep(LOOK_EVERY)

    async def _attend(self, link: Link, lane: StandIn, asked: Asked) -> None:
        """See one call through to its reply."""
        while asked.id in lane.open:
            if lane.is_withdrawn(asked.id):
                if not (asked.sent or asked.taken):
                    lane.answer(asked, "cancelled", "The call was withdrawn before it began.", self._journal)
                    return
                await link.publish(subjects.withdrawn(lane.service, self._run, lane.name, asked.id), b"")
            if asked.due(time.monotonic()):
                await self._ask(link, lane, asked)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await asked.news.wait()
            asked.news.clear()

    async def _ask(self, link: Link, lane: StandIn, asked: Asked) -> None:
        request = Request(
            call=asked.call.decode(errors="replace"),
            verdict=asked.verdict.decode(),
            upto=self.position(),
            again=asked.taken,
        )
        data = request.encode()
        if len(data) > link.max_payload - ROOM:
            words = f"The call is too large to be sent elsewhere: {len(data)} bytes with what goes with it."
            return lane.answer(asked, "unavailable", words, self._journal)
        doubtful = asked.sent or asked.taken
        try:
            answer = await link.request(subjects.call(lane.service, self._run, lane.name), data)
        except NobodyThere:
            return lane.nobody(asked, self._journal)
        except Away:
            asked.sent = asked.taken = True  # or not: who knows
            asked.next = time.monotonic() + AGAIN_AFTER
            if link.lost:
                raise
            return
        asked.sent = True
        turned = _turned(answer)
        if turned is None:
            asked.taken, asked.heard = True, time.monotonic()
        elif doubtful:
            asked.next = time.monotonic() + AGAIN_AFTER
        else:
            lane.answer(asked, "unavailable", turned, self._journal)


def _turned(answer: bytes) -> str | None:
    """Why the service does not take it; None when it does."""
    try:
        Taken.decode(answer)
    except InvalidDocument:
        try:
            return Turned.decode(answer).why
        except InvalidDocument:
            return "the service's answer could not be read"
    return None
