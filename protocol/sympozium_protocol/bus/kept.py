"""A run as a service keeps it between its calls: what the stream says of it, and the loop that answers."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sympozium_protocol.bus.desk import BusDesk
from sympozium_protocol.bus.faults import Away
from sympozium_protocol.bus.gather import BadRecord
from sympozium_protocol.bus.line import Line
from sympozium_protocol.bus.mirror import Mirror
from sympozium_protocol.bus.progress import ProgressOut
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.files import Directory, open_root
from sympozium_protocol.ledger import Ledger
from sympozium_protocol.messages.spec import ParticipantSpec, RunSpec
from sympozium_protocol.participant.context import Handler, Offer, Recover
from sympozium_protocol.participant.serve import Server
from sympozium_protocol.process import log
from sympozium_protocol.waiting import Watch

PAUSE: Final = 0.5
"""Seconds until what could not be read of a run is read again."""

_SAID: Final = "said"
_DESK: Final = "desk"


class Unfit(Exception):
    """A call that this service does not take; says why, in words for the model."""


@dataclass(frozen=True, slots=True)
class Served:
    """A run as handlers are given it. ``root``: an ipc directory with those of its files that ``Offered.reads`` names,
    as far as they were in the stream when the call that is being answered was taken; ``look`` brings what came since.
    """

    spec: RunSpec
    participant: str
    root: Directory
    look: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Offered:
    """What a service does.

    ``make``: the handlers of one run, of ``tools``. ``fits``: why a run is not served, or None. ``reads``: given the
    participant and a path, is it one of the run's files that handlers read? None: they read none.
    """

    make: Callable[[Served], Awaitable[Iterable[Handler]]]
    fits: Callable[[RunSpec], str | None] = lambda spec: None
    reads: Callable[[str, str], bool] | None = None
    recover: Recover | None = None


class Kept:
    """One participant of one run. Made by ``Kept.open``; its files are private, and go with it."""

    def __init__(self, run: RunKey, participant: str, offered: Offered, line: Line) -> None:
        self.run = run
        self.participant = participant
        self.used = time.monotonic()
        self.task: asyncio.Task[None] | None = None
        self.server: Server | None = None
        self._offered = offered
        self._line = line
        self._path = Path(tempfile.mkdtemp(prefix="sympozium-run-"))
        (self._path / _SAID).mkdir()
        (self._path / _DESK).mkdir()
        self._said = open_root(self._path / _SAID)
        self._mirror = Mirror(run, self._said, self._wants)
        self._reading = asyncio.Lock()
        self._desk: BusDesk | None = None

    def _wants(self, path: str) -> bool:
        return self._offered.reads is not None and self._offered.reads(self.participant, path)

    @property
    def spec(self) -> RunSpec:
        assert self._mirror.spec is not None
        return self._mirror.spec

    @property
    def desk(self) -> BusDesk:
        assert self._desk is not None
        return self._desk

    @property
    def idle(self) -> bool:
        return not (self._desk and self._desk.in_hand)

    async def learn(self) -> None:
        """Read the RunSpec. Raises Unfit, Away, FileFault."""
        async with self._reading, aclosing(self._line.read(self.run, self._mirror.last, batch=1)) as messages:
            async for message in messages:
                try:
                    self._mirror.take(message)
                except BadRecord as fault:
                    raise Unfit(f"what the bus has of this run cannot be used: {fault}") from None
                if self._mirror.spec is not None:
                    return
        raise Unfit(f"the bus has no run {self.run}")

    def check(self, service: str) -> ParticipantSpec:
        """Raises Unfit."""
        found = self.spec.participant(self.participant)
        if found is None or found.placement != "bus" or found.answered_by != service:
            raise Unfit(f"the run {self.run} has no participant {self.participant} that {service} answers for")
        if why := self._offered.fits(self.spec):
            raise Unfit(why)
        return found

    def sit(self, progress: ProgressOut, done: Callable[[], None]) -> None:
        """Make the desk. Raises FileFault."""
        path = self._path / _DESK
        with open_root(path) as root:
            ledger = Ledger.of(path / self.participant, self.spec.limits.disk)
            self._desk = BusDesk(root, self.participant, ledger, progress, done)

    async def catch_up(self) -> None:
        """Read what is new of the run, if any is read; while the bus is away it waits. Raises FileFault, Ended."""
        while self._offered.reads is not None:
            try:
                return await self._catch_up()
            except Away as fault:
                log("run not read yet", run=self.run, why=str(fault))
                await asyncio.sleep(PAUSE)

    async def _catch_up(self) -> None:
        async with self._reading, aclosing(self._line.read(self.run, self._mirror.last)) as messages:
            async for message in messages:
                try:
                    self._mirror.take(message)
                except BadRecord as fault:
                    log("message refused", run=self.run, why=str(fault))
                    self._mirror.skip(message)

    async def begin(self, found: ParticipantSpec) -> Server:
        """The loop that answers, with handlers made for this run; made once."""
        async with self._reading:
            if self.server is None:
                handlers = await self._offered.make(Served(self.spec, self.participant, self._said, self.catch_up))
                offer = Offer(handler for handler in handlers if found.tool(handler.tool.name))
                watch = Watch(told=True)
                self.server = Server(self.spec, found, self.desk, offer, self._offered.recover, watch)
        return self.server

    def close(self) -> None:
        """Forget it; what is in hand is dropped."""
        if self.task and not self.task.done():
            self.task.add_done_callback(lambda _: self._clear())
            self.task.cancel()
        else:
            self._clear()

    def _clear(self) -> None:
        if self._desk:
            self._desk.close()
        self._said.close()
        shutil.rmtree(self._path, ignore_errors=True)
