"""The least of a service on the bus: it answers as a test tells it to, in a thread and with a connection of its own."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Self

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Records, Request, Taken, Turned, record_parts
from sympozium_protocol.bus.link import Link, Message, connect
from sympozium_protocol.bus.settings import BusSettings
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.bus.writer import append
from sympozium_protocol.files import digest
from sympozium_protocol.messages import Call, Manifest, Reply, Started, TextPart, Tool
from tests.support.bus_pod import WITHIN


@dataclass(frozen=True)
class Heard:
    """A request as the service got it."""

    run: RunKey
    participant: str
    request: Request

    @property
    def call(self) -> Call:
        return Call.decode(self.request.call.encode())


class Service:
    """A context manager. ``heard`` and ``withdrawn`` are what came; ``turns``: why it takes nothing."""

    def __init__(self, url: str, name: str, tools: tuple[Tool, ...] = (), turns: str = "") -> None:
        self.url = url
        self.name = name
        self.tools = tools
        self.turns = turns
        self.heard: queue.Queue[Heard] = queue.Queue()
        self.withdrawn: queue.Queue[str] = queue.Queue()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._last: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        self.link = self.do(connect(BusSettings(self.url), principal=f"service:{self.name}"))
        self.do(self._listen(self.link))
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self.link.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WITHIN)

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WITHIN)

    async def _listen(self, link: Link) -> None:
        await link.subscribe(subjects.calls(self.name), self._call, queue=self.name)
        await link.subscribe(subjects.withdrawals(self.name), self._withdraw)
        await link.subscribe(subjects.manifest(self.name), self._manifest, queue=self.name)
        await link.settled()

    async def _call(self, message: Message) -> None:
        _, run, participant = subjects.read_call(message.subject)
        answer = Turned(why=self.turns) if self.turns else Taken()
        await self.link.publish(message.reply, answer.encode())
        self.heard.put(Heard(run, participant, Request.decode(message.data)))

    async def _withdraw(self, message: Message) -> None:
        self.withdrawn.put(subjects.read_withdrawn(message.subject)[2])

    async def _manifest(self, message: Message) -> None:
        await self.link.publish(message.reply, Manifest(participant="any", tools=self.tools).encode())

    def next(self) -> Heard:
        return self.heard.get(timeout=WITHIN)

    # -- what a service says ---------------------------------------------------------------------------------------

    def start(self, heard: Heard) -> None:
        data = heard.request.call.encode()
        started = Started(id=heard.call.id, digest=digest(data))
        self.say(heard, f"{heard.participant}/started/{heard.call.id}", started.encode())

    def reply(self, heard: Heard, text: str = "done", **changes: Any) -> None:
        fields = {"id": heard.call.id, "digest": digest(heard.request.call.encode()), "outcome": "ok"} | changes
        found = Reply(content=(TextPart(text=text),), **fields)
        self.say(heard, f"{heard.participant}/replies/{heard.call.id}.json", found.encode())

    def say(self, heard: Heard, path: str, data: bytes) -> None:
        subject = subjects.elsewhere(heard.run, heard.participant, heard.call.id)
        message = Records(writer="test", records=tuple(record_parts(path, data))).encode()
        self._last[subject] = self.do(append(self.link, subject, message, last=self._last.get(subject, 0)))

    def progress(self, heard: Heard, data: bytes) -> None:
        self.do(self.link.publish(subjects.progress(heard.run, heard.participant, heard.call.id), data))

    def working(self, heard: Heard) -> None:
        said = digest(heard.request.call.encode()).encode()
        self.do(self.link.publish(subjects.working(heard.run, heard.participant, heard.call.id), said))
