"""A run of the bus as files: its stream written down in a private directory that goes again.

Whatever reads a run reads files, so a run of the bus is read by the same code as one of this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from sympozium_cli.bus.connecting import at_once, connection
from sympozium_cli.bus.named import Bus
from sympozium_cli.view.signals import tidy_end
from sympozium_protocol import layout
from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Status
from sympozium_protocol.bus.faults import Away, Forbidden
from sympozium_protocol.bus.link import Link, Message
from sympozium_protocol.bus.mirror import Mirror
from sympozium_protocol.bus.reader import Reader, Stored, open_reader
from sympozium_protocol.bus.restoring import take
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import MAX_FILE, Directory, FileFault, open_root
from sympozium_protocol.ids import is_id
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.spec import RunSpec

AGAIN: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds before each further attempt to reach a bus that went away; the last holds on."""
LOOK_EVERY: Final = 0.3
"""Seconds between looks whether the run's gate has published what the run is."""


class Copy:
    """One run. ``ipc`` has what the stream has, as far as it was read. ``put_off``: what a person is told when its
    gate has gone before its end; default: whoever has its directory resumes it."""

    def __init__(self, bus: Bus, run: RunKey, ipc: Directory, put_off: Callable[[], str] | None = None) -> None:
        self.run = run
        self.ipc = ipc
        self._bus = bus
        self._put_off = put_off or (lambda: f"nobody runs it now; it goes on with: sympozium resume {run.run}")
        self._mirror = Mirror(run, ipc)
        self._shown: dict[tuple[str, str], int] = {}

    @property
    def spec(self) -> RunSpec:
        """Raises Ended (RunNotFound) when the bus has no such run."""
        if self._mirror.spec is None:
            raise Ended(Reason.RunNotFound, f"{self.run.run}: the bus has no such run in {self.run.namespace}")
        return self._mirror.spec

    @property
    def ended(self) -> bool:
        """Has its result been read?"""
        with self.ipc.open((layout.AGENT,)) as agent:
            return agent.has(layout.RESULT_FILE)

    async def read(self) -> None:
        """All that the stream has now. Raises Away, Ended."""
        async with connection(self._bus) as link:
            await self._catch_up(await open_reader(link, self.run, self._mirror.last))

    async def read_within(self, patience: float) -> None:
        """The same, as soon as there is anything, or after so many seconds. Raises Away, Ended."""
        ends = time.monotonic() + patience
        await self.read()
        while self._mirror.spec is None and time.monotonic() < ends:
            await asyncio.sleep(LOOK_EVERY)
            await self.read()

    async def follow(self, tell: Callable[[str], None], progress: bool) -> None:
        """Until the run has ended, however often the bus goes away meanwhile. Raises Ended.

        ``tell``: in words, when it is away and when it is back. ``progress``: what is lossy as well.
        """
        attempt = 0
        while not self.ended:
            try:
                async with connection(self._bus) as link:
                    reader = await open_reader(link, self.run, self._mirror.last)
                    if attempt:
                        tell("the bus is back")
                        attempt = 0
                    await link.subscribe(subjects.status(self.run), partial(self._status, tell))
                    await self._follow(link, reader, progress)
            except Forbidden:
                raise Ended(Reason.BusRefused, "the token does not allow this for this run any more") from None
            except Away as fault:
                if not attempt:
                    tell(f"the bus is away ({fault}); waiting for it")
                await asyncio.sleep(AGAIN[min(attempt, len(AGAIN) - 1)])
                attempt += 1

    async def _follow(self, link: Link, reader: Reader, progress: bool) -> None:
        if progress:
            await link.subscribe(subjects.live(self.run), self._heard)
        while not self.ended or reader.pending:
            self._take(await reader.next())

    async def _catch_up(self, reader: Reader) -> None:
        while reader.pending:
            self._take(await reader.next())

    def _take(self, message: Stored) -> None:
        for path in take(self._mirror, message):
            participant, _, rest = path.partition("/")
            if rest.startswith("replies/"):
                self._answered(participant, rest.removeprefix("replies/").removesuffix(".json"))

    async def _status(self, tell: Callable[[str], None], message: Message) -> None:
        """Its gate has gone: nothing more comes until the run goes on elsewhere."""
        try:
            found = Status.decode(bytes(message.data))
        except InvalidDocument:
            return
        if message.subject == subjects.status(self.run) and found.phase == "Suspended":
            tell(self._put_off())

    async def _heard(self, message: Message) -> None:
        """Progress goes where a participant of this machine leaves it; what is no progress is passed over.

        So is what came under another subject: an answer may be sent to any subject that somebody listens to.
        """
        match message.subject.split("."):
            case [*_, "progress", participant, call] if is_id(call) and self.spec.participant(participant):
                size = self._shown.get((participant, call), 0) + len(message.data)
                said = message.subject == subjects.progress(self.run, participant, call)
                if not said or size > MAX_FILE or self._has_reply(participant, call):
                    return
                self._shown[participant, call] = size
                with contextlib.suppress(FileFault), self.ipc.open(layout.progress(participant)) as place:
                    place.append(call, bytes(message.data))

    def _has_reply(self, participant: str, call: str) -> bool:
        with self.ipc.open(layout.replies(participant)) as replies:
            return replies.has(f"{call}.json")

    def _answered(self, participant: str, call: str) -> None:
        if self._shown.pop((participant, call), 0):
            with contextlib.suppress(FileFault), self.ipc.open(layout.progress(participant)) as place:
                place.remove(call)


@contextlib.contextmanager
def copied(
    bus: Bus, run: RunKey, patience: float = 0.0, put_off: Callable[[Directory], str] | None = None
) -> Iterator[Copy]:
    """A copy that has what the stream has now; it goes with the ``with``. ``patience``: seconds until it has anything;
    ``put_off``: as ``Copy`` takes it, of what was copied.

    Raises Ended.
    """
    with tidy_end(), tempfile.TemporaryDirectory(prefix="sympozium-") as path, open_root(Path(path)) as ipc:
        copy = Copy(bus, run, ipc, partial(put_off, ipc) if put_off else None)
        at_once(copy.read_within(patience))
        assert copy.spec
        yield copy
