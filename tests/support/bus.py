"""A small bridge for tests of services: publishes the records of a run, sends its calls, and follows what comes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from nats.aio.msg import Msg

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Records, Request, Taken, Turned, record_parts
from sympozium_protocol.bus.faults import Away, NobodyThere
from sympozium_protocol.bus.gather import Gatherer
from sympozium_protocol.bus.line import Line
from sympozium_protocol.bus.link import Link, connected
from sympozium_protocol.bus.places import RUN_PATH, reply_path, started_path
from sympozium_protocol.bus.reader import open_reader
from sympozium_protocol.bus.settings import BusSettings
from sympozium_protocol.bus.stream import StreamLimits, make_stream
from sympozium_protocol.bus.subjects import RunKey, run_principal
from sympozium_protocol.bus.writer import append
from sympozium_protocol.files import digest
from sympozium_protocol.messages import (
    Call,
    Effect,
    Manifest,
    ParticipantSpec,
    Reply,
    RunSpec,
    Started,
    TextPart,
    ToolSpec,
    Verdict,
)
from sympozium_protocol.messages.base import Document
from tests.support import participant as subject
from tests.support.ipc import NOW, run_spec

T = TypeVar("T")
WITHIN = 30.0
"""Seconds; only what hangs takes so long."""
SUBJECT = Path(subject.__file__)


async def soon(probe: Callable[[], T | None], what: str) -> T:
    """What ``probe`` finds, looked for until it is there."""
    ends = asyncio.get_running_loop().time() + WITHIN
    while (found := probe()) is None:
        assert asyncio.get_running_loop().time() < ends, f"not within {WITHIN:g} s: {what}"
        await asyncio.sleep(0.002)
    return found


def spec_of(run: str, effect: Effect = "read", **changes: Any) -> RunSpec:
    """A run whose participant ``subject`` is the service of that name."""
    tools = tuple(ToolSpec(name=name, effect=effect) for name in subject.NAMES)
    found = ParticipantSpec(name="subject", tools=tools, placement="bus")
    return run_spec(**{"run": run, "participants": (found,), **changes})


def go(test: Coroutine[Any, Any, T]) -> T:
    """Run the asynchronous part of a test."""

    async def bounded() -> T:
        async with asyncio.timeout(4 * WITHIN):
            return await test

    return asyncio.run(bounded())


def words(reply: Reply) -> str:
    return "".join(part.text for part in reply.content if isinstance(part, TextPart))


def done(folder: Path) -> list[str]:
    """The effects that copies with that folder had: ids of calls."""
    effects = folder / "effects"
    return effects.read_text().split() if effects.exists() else []


class Bridge:
    """Of one run. ``files``: what the stream has, by path."""

    def __init__(self, bus: str | BusSettings, spec: RunSpec) -> None:
        self.spec = spec
        self.run = RunKey.of(spec)
        self.settings = BusSettings(bus) if isinstance(bus, str) else bus
        self.files: dict[str, bytes] = {}
        self.order: list[str] = []
        self.progress: dict[str, bytes] = {}
        self.working: set[str] = set()
        self.last = 0
        self.upto = 0
        self._line = Line(self.settings, run_principal(self.run), self._greet)
        self._tasks: list[asyncio.Task[None]] = []

    async def _greet(self, link: Link) -> None:
        if link.trusted:
            await make_stream(link, StreamLimits())
        await link.subscribe(subjects.live(self.run), self._live)

    async def _live(self, message: Msg) -> None:
        _, _, _, _, kind, *names = message.subject.split(".")
        if kind == "progress":
            self.progress[names[1]] = self.progress.get(names[1], b"") + message.data
        elif kind == "working":
            self.working.add(names[1])

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._line.keep()), asyncio.create_task(self._follow())]
        await self.say(RUN_PATH, self.spec.encode())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        done = await asyncio.gather(*self._tasks, return_exceptions=True)
        for fault in done:
            if isinstance(fault, Exception):
                raise fault

    async def _follow(self) -> None:
        gatherer, last = Gatherer(self.run), 0
        while True:
            try:
                async with connected(self.settings, principal=run_principal(self.run)) as link:
                    reader = await open_reader(link, self.run, last)
                    while True:
                        message = await reader.next()
                        last = message.seq
                        for found in gatherer.take(message):
                            self.order.append(found.path)
                            assert self.files.setdefault(found.path, found.data) == found.data, found.path
            except Away:
                await asyncio.sleep(0.05)

    async def say(self, path: str, data: bytes | Document) -> None:
        """One more record of the run."""
        data = data if isinstance(data, bytes) else data.encode()
        for record in record_parts(path, data):
            message = Records(writer="bridge", records=(record,)).encode()
            self.last = await append(await self._line.link(), subjects.records(self.run), message, last=self.last)
        self.upto = self.last

    def sent(
        self,
        call_id: str,
        tool: str,
        participant: str = "subject",
        *,
        again: bool = False,
        timeout: float | None = None,
        allowed: bytes | None = None,
        **arguments: object,
    ) -> bytes:
        """A Request. ``allowed``: the bytes that the verdict is about, if not the call's."""
        data = Call(id=call_id, participant=participant, tool=tool, arguments=arguments, timeout=timeout).encode()
        found = digest(data if allowed is None else allowed)
        verdict = Verdict(id=call_id, participant=participant, decision="allow", digest=found, by="test", time=NOW)
        return Request(call=data.decode(), verdict=verdict.encode().decode(), upto=self.upto, again=again).encode()

    async def ask(self, call_id: str, tool: str, participant: str = "subject", **more: Any) -> Taken | Turned:
        """Send a call with its verdict, until somebody answers."""
        found = self.spec.participant(participant)
        assert found is not None
        data = self.sent(call_id, tool, participant, **more)
        answer = await self.request(subjects.call(found.answered_by, self.run, participant), data)
        return Turned.decode(answer) if b'"Turned"' in answer else Taken.decode(answer)

    async def taken(self, call_id: str, tool: str, participant: str = "subject", **more: Any) -> None:
        answer = await self.ask(call_id, tool, participant, **more)
        assert isinstance(answer, Taken), answer

    async def request(self, to: str, data: bytes) -> bytes:
        """Ask until somebody is there."""
        while True:
            try:
                return await (await self._line.link()).request(to, data)
            except (NobodyThere, Away):
                await asyncio.sleep(0.02)

    async def manifest(self, service: str) -> Manifest:
        return Manifest.decode(await self.request(subjects.manifest(service), b""))

    async def withdraw(self, call_id: str, participant: str = "subject") -> None:
        found = self.spec.participant(participant)
        assert found is not None
        link = await self._line.link()
        await link.publish(subjects.withdrawn(found.answered_by, self.run, participant, call_id), b"")

    async def started(self, call_id: str, participant: str = "subject") -> Started:
        path = started_path(participant, call_id)
        return Started.decode(await soon(lambda: self.files.get(path), path))

    async def reply(self, call_id: str, participant: str = "subject") -> Reply:
        path = reply_path(participant, call_id)
        return Reply.decode(await soon(lambda: self.files.get(path), path))


class Copy:
    """One process of a service on the bus, and its log."""

    def __init__(self, folder: Path, url: str, *command: str | Path, **environment: str) -> None:
        self.log = folder / "copy.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*map(str, command or (sys.executable, "-m", subject.__name__, "subject"))],
                env={
                    **os.environ,
                    "PYTHONPATH": str(SUBJECT.parents[2]),
                    "SYMPOZIUM_BUS": url,
                    "EFFECTS": str(folder / "effects"),
                    "TMPDIR": str(folder),
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stderr=log,
            )

    async def ready(self, times: int = 1) -> Self:
        """It has said so often that it is on the bus, all copies with this log together."""
        await soon(lambda: self.log.read_text().count('"on the bus"') >= times or self.process.poll(), "on the bus")
        assert self.process.poll() is None, self.log.read_text()
        return self

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    async def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, WITHIN)


async def died(found: list[Copy]) -> None:
    """Until one of them has killed itself, and the server knows."""
    await soon(lambda: next((copy for copy in found if copy.process.poll() is not None), None), "death")


def _before(folder: Path) -> int:
    """Copies whose log stands there already."""
    log = folder / "copy.log"
    return log.read_text().count('"on the bus"') if log.exists() else 0


@asynccontextmanager
async def copies(
    number: int, folder: Path, url: str, *command: str | Path, **environment: str
) -> AsyncIterator[list[Copy]]:
    """So many copies of the same service, all on the bus; killed at the end."""
    before = _before(folder)
    found = [Copy(folder, url, *command, **environment) for _ in range(number)]
    try:
        await found[0].ready(number + before)
        yield found
    finally:
        for copy in found:
            copy.kill()
