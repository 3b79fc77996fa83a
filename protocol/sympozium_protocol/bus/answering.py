"""One copy of a service at work: what it hears, the calls that it has in hand, and the runs that it keeps."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import secrets
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Request, Taken, Turned
from sympozium_protocol.bus.faults import Away
from sympozium_protocol.bus.gather import BadRecord
from sympozium_protocol.bus.kept import Kept, Offered, Unfit
from sympozium_protocol.bus.lane import Lane, Left
from sympozium_protocol.bus.line import Line
from sympozium_protocol.bus.link import Heard, Link, Message
from sympozium_protocol.bus.progress import ProgressOut
from sympozium_protocol.bus.subjects import BadSubject, RunKey
from sympozium_protocol.exits import Ended
from sympozium_protocol.files import FileFault, digest
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.calls import Manifest, Outcome, Reply, Started, TextPart, Tool, Verdict
from sympozium_protocol.participant.context import Lost
from sympozium_protocol.participant.desk import UNKNOWN
from sympozium_protocol.process import log

if TYPE_CHECKING:
    from sympozium_protocol.bus.service import OnBus

WORKING_EVERY: Final = 2.0
IDLE: Final = 600.0
"""Seconds after its last call in which a run is kept."""
LOOK_EVERY: Final = 30.0
FILES: Final = 12
"""Directories that are open for a run that is kept, at most."""
OTHER_FILES: Final = 256


class Answering:
    """One copy's calls and runs."""

    def __init__(self, on: OnBus, offered: Offered, tools: Sequence[Tool]) -> None:
        self.on = on
        self.room = min(on.bounds.runs, _files_for(on.bounds.runs))
        self.offered = offered
        self.manifest = Manifest(participant=on.service, tools=tuple(tools)).encode()
        self.line = Line(on.settings, subjects.service_principal(on.service), self._greet)
        self.progress = ProgressOut(self.line)
        self.kept: dict[tuple[RunKey, str], Kept] = {}
        self.writer = secrets.token_hex(8)
        self.tasks: asyncio.TaskGroup
        self.ending = False
        self._opening = asyncio.Lock()
        self._subscriptions: list[tuple[Link, Heard]] = []
        self._free = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as self.tasks:
            for lasting in (self.line.keep(), self.progress.send(), self._beat(), self._tidy()):
                self.tasks.create_task(lasting)

    # -- what is heard ----------------------------------------------------------------------------------------------

    async def _greet(self, link: Link) -> None:
        service = self.on.service
        await link.subscribe(subjects.withdrawals(service), self._withdrawn)
        await link.subscribe(subjects.manifest(service), self._asked_for_manifest, queue=service)
        if not self.ending:
            found = await link.subscribe(subjects.calls(service), self._called, queue=service)
            self._subscriptions = [(link, found)]
        await link.settled()
        log("on the bus", service=service)

    async def stop_taking(self) -> None:
        self.ending = True
        for link, subscription in self._subscriptions:
            await link.drain(subscription)
        log("ending", service=self.on.service, calls=self._in_hand())

    async def nothing_in_hand(self) -> None:
        while self._in_hand():
            self._free.clear()
            await self._free.wait()

    async def _asked_for_manifest(self, message: Message) -> None:
        await self._answer(message, self.manifest)

    async def _withdrawn(self, message: Message) -> None:
        try:
            run, participant, call = subjects.read_withdrawn(message.subject)
        except BadSubject as fault:
            return log("message refused", why=str(fault))
        kept = self.kept.get((run, participant))
        if kept is not None and not kept.idle:
            kept.desk.withdraw(call)
            if kept.server:
                kept.server.watch.pulse()

    async def _called(self, message: Message) -> None:
        self.tasks.create_task(self._take(message))

    async def _answer(self, message: Message, data: bytes) -> None:
        link = self.line.now
        if link is not None and message.reply:
            with contextlib.suppress(Away):  # whoever asked asks again
                await link.publish(message.reply, data)

    # -- a call -----------------------------------------------------------------------------------------------------

    async def _take(self, message: Message) -> None:
        """Answer at once whether it is taken, and see it onto its run's desk."""
        try:
            run, participant, request, verdict = _read(message)
            kept = await self._keep(run, participant)
            fresh = self._accept(kept, request, verdict)
        except Unfit as why:
            log("call turned away", subject=message.subject, why=str(why))
            return await self._answer(message, Turned(why=str(why)).encode())
        except (Away, Ended, FileFault) as fault:
            return log("call passed over", subject=message.subject, why=str(fault))
        await self._answer(message, Taken().encode())
        if fresh:
            await self._see_to(kept, request, verdict)

    def _accept(self, kept: Kept, request: Request, verdict: Verdict) -> bool:
        """Is it news? Raises Unfit when there is no room for it."""
        call = verdict.id
        if call in kept.desk.in_hand:
            return False
        bounds = self.on.bounds
        if self._in_hand() >= bounds.calls or len(kept.desk.in_hand) >= bounds.each:
            raise Unfit(f"{self.on.service} has as many calls in hand as it can; try again later")
        kept.desk.in_hand[call] = Lane(
            self.line,
            kept.run,
            kept.participant,
            call,
            digest=verdict.digest,
            writer=self.writer,
            since=0 if request.again else request.upto,
        )
        kept.used = time.monotonic()
        return True

    async def _see_to(self, kept: Kept, request: Request, verdict: Verdict) -> None:
        laid = False
        try:
            laid = await self._lay(kept, request, verdict.id)
        except (Unfit, BadRecord, Ended, FileFault) as fault:
            log("call not answered", run=kept.run, call=verdict.id, why=str(fault))
            await self._give_up(kept, request, verdict)
        finally:
            if not laid:
                kept.desk.done(verdict.id)

    async def _give_up(self, kept: Kept, request: Request, verdict: Verdict) -> None:
        words = TextPart(text=f"{self.on.service} cannot serve this run now.")
        outcome: Outcome = "interrupted" if request.again else "unavailable"
        with contextlib.suppress(Lost):
            await kept.desk.reply(Reply(id=verdict.id, digest=verdict.digest, outcome=outcome, content=(words,)))

    async def _lay(self, kept: Kept, request: Request, call: str) -> bool:
        """False where it needs no answer from us."""
        await kept.catch_up()
        left = await kept.desk.in_hand[call].look() if request.again else Left()
        if left.answered:
            return False
        former = left.started
        server = await kept.begin(kept.check(self.on.service))
        if kept.task is None:
            kept.task = self.tasks.create_task(self._serve(kept))
        if former is not None:
            server.take_over(_started(former, call))
        kept.desk.lay(call, request, former)
        server.watch.pulse()
        return True

    # -- runs -------------------------------------------------------------------------------------------------------

    async def _keep(self, run: RunKey, participant: str) -> Kept:
        """Raises Unfit, Away, Ended, FileFault."""
        if self.on.namespaces and run.namespace not in self.on.namespaces:
            raise Unfit(f"{self.on.service} does not serve the namespace {run.namespace}")
        async with self._opening:
            known = self.kept.get((run, participant))
            if known is None:
                self._make_room()
                known = await self._open(run, participant)
                self.kept[run, participant] = known
        known.used = time.monotonic()
        return known

    async def _open(self, run: RunKey, participant: str) -> Kept:
        kept = Kept(run, participant, self.offered, self.line)
        try:
            await kept.learn()
            kept.check(self.on.service)
            kept.sit(self.progress, self._free.set)
        except BaseException:
            kept.close()
            raise
        return kept

    async def _serve(self, kept: Kept) -> None:
        """What goes wrong with one run ends its service alone."""
        assert kept.server
        try:
            await kept.server.answer()
        except* (FileFault, Ended) as group:
            log("run not served", run=kept.run, why="; ".join(map(str, group.exceptions)))
            kept.task = None
            self._forget(kept)

    def _make_room(self) -> None:
        if len(self.kept) < self.room:
            return
        idle = [kept for kept in self.kept.values() if kept.idle]
        if not idle:
            raise Unfit(f"{self.on.service} serves as many runs as it can; try again later")
        self._forget(min(idle, key=lambda kept: kept.used))

    def _forget(self, kept: Kept) -> None:
        self.kept.pop((kept.run, kept.participant), None)
        kept.close()
        self._free.set()

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            for kept in tuple(self.kept.values()):
                if kept.idle and time.monotonic() - kept.used > IDLE:
                    self._forget(kept)

    async def _beat(self) -> None:
        """A sign of life for every call in hand, also one that waits for its turn."""
        while True:
            await asyncio.sleep(WORKING_EVERY)
            link = self.line.now
            if link is None:
                continue
            lanes = [lane for kept in self.kept.values() for lane in kept.desk.in_hand.values()]
            with contextlib.suppress(Away):
                for lane in lanes:
                    subject = subjects.working(lane.run, lane.participant, lane.call)
                    await link.publish(subject, lane.digest.encode())

    def _in_hand(self) -> int:
        return sum(len(kept.desk.in_hand) for kept in self.kept.values())

    def close(self) -> None:
        """Let go of every run."""
        for kept in tuple(self.kept.values()):
            self._forget(kept)


def _files_for(runs: int) -> int:
    """How many runs the system lets us keep, of that many: each has some directories open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = runs * FILES + OTHER_FILES
    if soft < wanted:
        soft = min(hard, wanted) if hard != resource.RLIM_INFINITY else wanted
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, (soft - OTHER_FILES) // FILES)


def _read(message: Message) -> tuple[RunKey, str, Request, Verdict]:
    """Raises Unfit."""
    try:
        _, run, participant = subjects.read_call(message.subject)
        request = Request.decode(message.data)
        verdict = Verdict.decode(request.verdict.encode())
    except (BadSubject, InvalidDocument) as fault:
        raise Unfit(f"the request cannot be used: {fault}") from None
    if verdict.participant != participant or verdict.decision != "allow":
        raise Unfit(f"the request cannot be used: its verdict does not allow a call to {participant}")
    if digest(request.call.encode()) != verdict.digest:
        raise Unfit("the request cannot be used: its verdict is about another call")
    return run, participant, request, verdict


def _started(data: bytes, call: str) -> Started:
    try:
        return Started.decode(data)
    except InvalidDocument:
        return Started(id=call, digest=UNKNOWN)  # that it was started is what counts
