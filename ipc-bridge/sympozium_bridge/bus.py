"""The gate's half of the bus: one session after the other, each beginning where the stream is.

A session finds its position in the stream first, takes up what was said while it was away, and then publishes and
listens at once. Whatever breaks it (the server is away, restarted, full) ends it, and the next begins anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from sympozium_bridge.claim import claim_of
from sympozium_bridge.gate import Gate
from sympozium_bridge.hearing import Hearing
from sympozium_bridge.journal import Entry
from sympozium_bridge.packing import parts_of, together
from sympozium_bridge.progress import Progress
from sympozium_bridge.standins import StandIns
from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import CHUNK, Record, Records, Status, record_parts
from sympozium_protocol.bus.faults import Away, NobodyThere, Superseded
from sympozium_protocol.bus.gather import BadRecord, Found, Gatherer
from sympozium_protocol.bus.link import Link, Message, connected
from sympozium_protocol.bus.places import RUN_PATH
from sympozium_protocol.bus.reader import Reader, Stored, open_reader
from sympozium_protocol.bus.settings import BusSettings
from sympozium_protocol.bus.subjects import Elsewhere, Own, RunKey, Said
from sympozium_protocol.bus.writer import append
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.failpoints import failpoint
from sympozium_protocol.files import BadFile, digest
from sympozium_protocol.process import log

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 2.0
STATUS_EVERY: Final = 10.0
"""Seconds after which a gate says again how it stands, for who came to listen meanwhile or had lost the bus."""
DRAIN_WITHIN: Final = 4.0
"""Seconds at the end for what the stream does not have yet: less than whoever ends the gate waits for it."""


class Reposition(Exception):
    """The stream has a message that was not expected: look where it stands."""


class Bus:
    """One life of the gate on the bus."""

    def __init__(
        self, settings: BusSettings, gate: Gate, standins: StandIns, progress: Progress, *, spec: bytes, writer: str
    ) -> None:
        """``spec``: the RunSpec's bytes. ``writer``: as whom this directory's gate writes."""
        self._settings = settings
        self._gate = gate
        self._spec = spec
        self._run_digest = digest(spec)
        self._run = RunKey.of(gate.spec)
        self._writer = writer
        self._unexpected = -1
        """How far the stream had been read when it last expected another message than ours."""
        self._stuck = 0
        self._standins = standins
        self._progress = progress
        self._hearing = Hearing(gate)
        self._gatherer = Gatherer(self._run, bodies=False)
        self._read = 0
        """Of the stream, as far as it was read."""
        self._last = 0
        """Of the run's own records, the last."""
        self._positioned = False
        self._begun = False
        """Has the stream a whole file of the run's own?"""
        self._claimed = False
        """Not before the stream has said so: a claim that was lost shuts nobody out."""
        self._news = asyncio.Event()
        self._stands: tuple[object, ...] = ()
        self._told: Status | None = None
        gate.journal.wake = self._news.set
        gate.looked = self._looked
        standins.position = lambda: self._last

    def _looked(self) -> None:
        self._standins.look()
        self._progress.wake()
        stands = (self._gate.questions.open, self._gate.ended, self._hearing.refused)
        if stands != self._stands:
            self._stands = stands
            self._news.set()

    async def run(self) -> None:
        """Until cancelled. Raises Ended when the run is another's now, or the bus does not want it."""
        wait, away = FIRST_WAIT, ""
        while True:
            began = time.monotonic()
            try:
                await self._session()
            except Away as fault:
                if away != (away := str(fault)):
                    log("bus away", message=f"the bus is away: {away}", behind=self._gate.journal.behind)
            except Reposition:
                self._count_unexpected()
                wait = FIRST_WAIT
            if time.monotonic() - began > 2 * LONGEST_WAIT:
                wait, away = FIRST_WAIT, ""
            await asyncio.sleep(wait)
            wait = min(LONGEST_WAIT, wait * 2)

    def _count_unexpected(self) -> None:
        """Raises Ended (InvalidRun) when the stream expects again and again what it does not show."""
        self._stuck = self._stuck + 1 if self._unexpected == self._read else 0
        self._unexpected = self._read
        if self._stuck == 1:
            self._last = 0  # what came last may have become too old to be kept
        elif self._stuck > 1:
            raise Ended(Reason.InvalidRun, f"{self._run}: the stream expects another message than the last it shows")

    async def drain(self) -> None:
        """Publish what is left. Raises Ended (NotDurable) when it does not come to that in time."""
        behind = self._gate.journal.behind
        if not behind:
            return
        why = "no answer in time"
        try:
            async with asyncio.timeout(DRAIN_WITHIN):
                while self._gate.journal.behind:
                    why = await self._drain_once() or why
        except TimeoutError:
            left = self._gate.journal.behind
            raise Ended(Reason.NotDurable, f"the stream does not have {left} files of the run: {why}") from None
        log("bus caught up", files=behind)

    async def _drain_once(self) -> str:
        try:
            async with self._linked() as link:
                await self._position(link)
                while self._gate.journal.behind:
                    await self._publish(link)
        except (Away, Reposition) as fault:
            await asyncio.sleep(FIRST_WAIT)
            return str(fault)
        return ""

    # -- a session -------------------------------------------------------------------------------------------------

    def _linked(self) -> contextlib.AbstractAsyncContextManager[Link]:
        return connected(self._settings, principal=subjects.run_principal(self._run))

    async def _session(self) -> None:
        async with self._linked() as link:
            await self._alone(link)
            await link.subscribe(subjects.present(self._run), self._answer_present(link))
            reader = await self._position(link)
            self._positioned = True
            if not self._claimed:
                await self._append(link, [claim_of(self._writer)])
                self._claimed = True
            self._gate.judging = True
            self._gate.wake()
            log("bus reached", seq=self._read, behind=self._gate.journal.behind)
            await self._live(link, reader)

    async def _live(self, link: Link, reader: Reader) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(reader))
                tasks.create_task(self._publish_all(link))
                tasks.create_task(self._standins.serve(link))
                tasks.create_task(self._progress.tell(link))
        except asyncio.CancelledError:
            with contextlib.suppress(Away):
                await self._tell_status(link, leaving=True)
            raise
        except BaseExceptionGroup as faults:  # of the tasks above, whatever it is: one of them ends this life
            raise _first(faults) from None

    async def _alone(self, link: Link) -> None:
        """A run has one gate. Raises Ended (RunLocked) when another is there."""
        try:
            answer = await link.request(subjects.present(self._run), b"", within=1.0)
        except (NobodyThere, Away):
            return
        if answer.decode(errors="replace") != self._writer:
            raise Ended(Reason.RunLocked, f"{self._run}: another gate of this run is on the bus")

    def _answer_present(self, link: Link) -> Callable[[Message], Awaitable[None]]:
        async def answer(message: Message) -> None:
            with contextlib.suppress(Away):
                await link.publish(message.reply, self._writer.encode())

        return answer

    async def _position(self, link: Link) -> Reader:
        """Know all that the stream has of the run, which begins with its RunSpec; then hear what comes after it."""
        reader = await open_reader(link, self._run, self._read)
        await self._catch_up(reader)
        if not self._begun:
            await self._begin(link)
        return reader

    async def _begin(self, link: Link) -> None:
        """Whoever made the pod has not told the stream of the run: it does not speak to the bus, as in a cluster.

        Parts of a RunSpec that a former life left unfinished are in the way of nobody: it comes again from its first.
        """
        for part in record_parts(RUN_PATH, self._spec):
            await self._append(link, [part])
        self._begun = True

    async def _catch_up(self, reader: Reader) -> None:
        while reader.pending:
            self._take(await reader.next())
        self._gate.wake()

    async def _listen(self, reader: Reader) -> None:
        while True:
            self._take(await reader.next())
            self._gate.wake()

    # -- what comes ------------------------------------------------------------------------------------------------

    def _take(self, message: Stored) -> None:
        if message.seq <= self._read:
            return
        self._read = message.seq
        try:
            _, at = subjects.read(message.subject)
        except subjects.BadSubject as fault:
            return self._hearing.refuse(message, str(fault))
        if isinstance(at, Said):
            return self._hearing.take(message, at)
        if isinstance(at, Own):
            self._last = max(self._last, message.seq)
        try:
            found = list(self._gatherer.take(message))
        except BadRecord as fault:
            if isinstance(at, Own):
                raise Ended(Reason.InvalidRun, f"{self._run}: {fault}") from None
            return self._hearing.refuse(message, str(fault))
        for one in found:
            if why := self._found(one, at):
                self._hearing.refuse(message, why)

    def _found(self, found: Found, at: Own | Elsewhere) -> str:
        """Why it cannot be used, if it cannot."""
        if isinstance(at, Elsewhere):
            return self._standins.found(found, at)
        self._begun = True
        if self._positioned and found.writer != self._writer:
            raise Ended(Reason.RunLocked, f"{self._run}: another gate has this run now ({found.path})")
        if not self._gate.journal.stored(found.path, found.data):
            self._unknown(found)
        return ""

    def _unknown(self, found: Found) -> None:
        """The run's records have a file that this directory lacks."""
        if found.path == RUN_PATH:
            if digest(found.data) != self._run_digest:
                raise Ended(Reason.InvalidRun, f"{self._run}: the stream has another run of this name")
        elif found.path.startswith("bridge/gates/") or self._gate.holds(found.path, found.data):
            return
        elif found.writer != self._writer or not self._restored(found):
            why = "is in the run's stream but not here; resume the run with its bus, which writes it again"
            raise Ended(Reason.InvalidRun, f"{found.path}: {why}")

    def _restored(self, found: Found) -> bool:
        return self._gate.restore(found.path, found.data) or self._standins.restore(found.path, found.data)

    # -- what goes -------------------------------------------------------------------------------------------------

    async def _publish_all(self, link: Link) -> None:
        while True:
            self._news.clear()
            if self._gate.journal.behind:
                await self._publish(link)
            else:
                await self._tell_status(link)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), STATUS_EVERY)
                    continue
                self._told = None

    async def _publish(self, link: Link) -> None:
        """The next message: as many files as fit, or one in parts."""
        first = self._gate.journal.waiting[0]
        if first.size > CHUNK:
            await self._publish_large(link, first)
        else:
            files, records = together(self._gate.journal.waiting)
            await self._append(link, records)
            for entry in files:
                self._gate.journal.stored(entry.path, entry.data)
        self._gate.wake()
        self._standins.look()

    async def _publish_large(self, link: Link, entry: Entry) -> None:
        try:
            for part in parts_of(entry):
                await self._append(link, [part])
        except BadFile as fault:
            log("file refused", path=fault.path, why=fault.why)
            return self._gate.journal.drop(entry.path)
        self._gate.journal.stored(entry.path, entry.data)

    async def _append(self, link: Link, records: Sequence[Record]) -> None:
        data = Records(writer=self._writer, records=tuple(records)).encode()
        failpoint("before-publish")
        try:
            self._last = await append(link, subjects.records(self._run), data, last=self._last)
        except Superseded:
            raise Reposition("the stream has another last message") from None
        failpoint("published")

    async def _tell_status(self, link: Link, *, leaving: bool = False) -> None:
        waiting = self._gate.questions.open
        phase = "Suspended" if leaving else "Waiting" if waiting else "Running"
        phase = "Ended" if self._gate.ended else phase
        status = Status(
            run=self._run.run,
            phase=phase,  # type: ignore[arg-type]
            waiting=waiting,
            refused=self._hearing.refused,
            digest=self._run_digest,
        )
        if status != self._told:
            await link.publish(subjects.status(self._run), status.encode())
            self._told = status


def _first(faults: BaseExceptionGroup[BaseException]) -> BaseException:
    """What ends the run before what ends the session."""
    found = [_first(f) if isinstance(f, BaseExceptionGroup) else f for f in faults.exceptions]
    return next((fault for fault in found if not isinstance(fault, Away | Reposition)), found[0])
