"""Runs on the bus, as the controller needs them: a long answer read whole, Cancel said, an Answer looked for, the
questions of a run, and how gates say that they stand.

A connection is made for each of the first four and closed again: few runs need any of it. What the bus cannot do now
is said to the caller as "no", and the run goes on without it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from sympozium_controller.lifecycle.questions import CALL
from sympozium_controller.names import CONTROLLER_ACCOUNT
from sympozium_protocol.clock import utc
from sympozium_protocol.exits import Ended
from sympozium_protocol.files import digest
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.calls import Question
from sympozium_protocol.messages.console import Answer, Cancel
from sympozium_protocol.messages.result import RunResult
from sympozium_protocol.process import log

if TYPE_CHECKING:
    from sympozium_protocol.bus.link import Link, Message as Msg
    from sympozium_protocol.bus.reader import Stored
    from sympozium_protocol.bus.settings import BusSettings
    from sympozium_protocol.bus.subjects import RunKey

WITHIN: Final = 10.0
"""Seconds for one of these: the end of a run waits for no more."""
AT_ONCE: Final = 4
MOST: Final = 64
"""Calls of one run that are listened to; a gate lets eight be in flight."""
AGAIN: Final = 2.0
"""Seconds until a bus that is away is tried again."""

Heard: TypeAlias = Callable[[str, str, tuple[str, ...]], None]
"""Told the namespace and id of a run, and the calls for which its gate waits for a person."""
_OF_A_CALL: Final = re.compile(r"bridge/(questions|verdicts)/([^/]+/[^/]+)\.json")


@dataclass
class Story:
    """What was read of a run: its answer, if it has this digest; the calls that it asked about, each with tool and
    digest; which of these the gate has judged; who was told what, as call and digest."""

    wanted: str = ""
    output: str | None = None
    asked: dict[str, tuple[str, str]] = field(default_factory=dict)
    judged: set[str] = field(default_factory=set)
    said_of: set[tuple[str, str]] = field(default_factory=set)

    @property
    def answered(self) -> bool:
        """Is there an answer that no gate has judged yet, or nothing left that the run asks?"""
        return bool(self.asked) and (bool(self._answers - self.judged) or not self.open)

    @property
    def open(self) -> dict[str, str]:
        """Calls without an answer, and their tools."""
        decided = self.judged | self._answers
        return {call: tool for call, (tool, _) in self.asked.items() if CALL.fullmatch(call) and call not in decided}

    @property
    def unjudged(self) -> set[str]:
        """Calls that a person is asked about, whether or not one has answered."""
        return {call for call in self.asked if CALL.fullmatch(call)} - self.judged

    @property
    def _answers(self) -> set[str]:
        """Calls that were answered. An answer holds for the digest alone that was asked about."""
        return {call for call, (_, digest) in self.asked.items() if (call, digest) in self.said_of}

    def file(self, path: str, data: bytes) -> None:
        if self.wanted and path == f"agent/blobs/{self.wanted}":
            self._output(data)
        elif self.wanted and path == "agent/result.json":
            try:
                self._output(RunResult.decode(data).output.encode())
            except (InvalidDocument, UnicodeEncodeError):
                return
        elif found := _OF_A_CALL.fullmatch(path):
            self._call(found[1], found[2], data)

    def _output(self, data: bytes) -> None:
        if digest(data) == self.wanted:  # the agent named it, and nothing else is taken for it
            self.output = data.decode("utf-8", "replace")

    def _call(self, kind: str, call: str, data: bytes) -> None:
        if kind == "questions":
            self.asked[call] = _tool_and_digest(data)
        else:
            self.judged.add(call)

    def said(self, data: bytes) -> None:
        try:
            answer = Answer.decode(data)
        except InvalidDocument:
            return
        self.said_of.add((f"{answer.participant}/{answer.id}", answer.digest))


def _tool_and_digest(data: bytes) -> tuple[str, str]:
    """Empty where it is no Question that can be read."""
    try:
        question = Question.decode(data)
    except InvalidDocument:
        return "", ""
    return question.tool, question.digest


class Stream:
    """The bus of the controller. None of its methods raises."""

    def __init__(self, settings: BusSettings) -> None:
        self._settings = settings
        self._places = asyncio.Semaphore(AT_ONCE)

    async def output(self, namespace: str, run: str, wanted: str) -> str:
        """The whole answer with this digest; empty when the stream does not have it or is away."""
        story = await self._read(namespace, run, Story(wanted))
        return (story.output or "") if story else ""

    async def answered(self, namespace: str, run: str) -> bool:
        """Did somebody answer something that the run asks?"""
        story = await self._read(namespace, run, Story())
        return bool(story and story.answered)

    async def questions(self, namespace: str, run: str) -> Story | None:
        """What the run asked a person about, and what became of it; None when the bus is away."""
        return await self._read(namespace, run, Story())

    async def cancel(self, namespace: str, run: str, now: float, by: str = "") -> bool:
        """Tell the agent to stop. ``by``: whose wish it is. False: the bus did not take it."""
        from sympozium_protocol.bus import subjects
        from sympozium_protocol.bus.link import decode_answer
        from sympozium_protocol.bus.subjects import RunKey

        reason = " ".join(filter(None, ("cancelled in the cluster", by)))
        word = Cancel(reason=reason, by=CONTROLLER_ACCOUNT, time=utc(now))
        async with self._trying("say Cancel", run) as tried, self._link() as link:
            key = RunKey(namespace, run)
            answer = await link.request(subjects.said(key, "cancel", word.by), word.encode())
            tried.done = "error" not in decode_answer(answer)
        return tried.done

    async def listen(self, namespaces: Sequence[str], tell: Heard) -> None:
        """``tell`` what gates say of themselves, until cancelled; what is said while the bus is away is not heard.

        ``namespaces``: whose; empty for all.
        """
        from sympozium_protocol.bus.faults import Away

        while True:
            try:
                async with self._link() as link:
                    for namespace in namespaces or ("*",):
                        await link.subscribe(f"sympozium.live.{namespace}.*.status", partial(_hear, tell))
                    await _until_lost(link)
            except (Away, Ended) as error:
                log("bus", cannot="hear of runs", why=str(error), again=AGAIN)
            await asyncio.sleep(AGAIN)

    async def _read(self, namespace: str, run: str, story: Story) -> Story | None:
        from sympozium_protocol.bus.reader import open_reader
        from sympozium_protocol.bus.subjects import RunKey

        key = RunKey(namespace, run)
        async with self._trying("read the stream", run) as tried:
            async with self._link() as link:
                reader = await open_reader(link, key, onward=False)
                await _tell(reader, key, story)
            tried.done = True
        return story if tried.done else None

    @asynccontextmanager
    async def _link(self) -> AsyncIterator[Link]:
        from sympozium_protocol.bus import subjects
        from sympozium_protocol.bus.link import connected

        principal = subjects.controller_principal(CONTROLLER_ACCOUNT)
        async with connected(self._settings, principal=principal) as link:
            yield link

    @asynccontextmanager
    async def _trying(self, what: str, run: str) -> AsyncIterator[_Tried]:
        from sympozium_protocol.bus.faults import Away, NobodyThere

        tried = _Tried()
        try:
            async with self._places, asyncio.timeout(WITHIN):
                yield tried
        except (Away, NobodyThere, Ended, TimeoutError) as error:
            log("bus", cannot=what, run=run, why=str(error) or "no answer in time")


def _calls(waiting: Sequence[str]) -> tuple[str, ...]:
    """What has the form of a call: this comes to stand in a status."""
    return tuple(call for call in waiting[:MOST] if CALL.fullmatch(call))


async def _until_lost(link: Link) -> None:
    lost = asyncio.Event()
    link.tell_when_lost(lost.set)
    await lost.wait()


async def _hear(tell: Heard, message: Msg) -> None:
    from sympozium_protocol.bus.documents import Status

    try:
        found = Status.decode(bytes(message.data))
    except InvalidDocument:
        return
    match message.subject.split("."):
        case [_, _, namespace, run, "status"] if run == found.run:
            tell(namespace, run, _calls(found.waiting) if found.phase == "Waiting" else ())


@dataclass
class _Tried:
    done: bool = False


async def _tell(reader: object, key: RunKey, story: Story) -> None:
    from sympozium_protocol.bus.gather import BadRecord, Gatherer
    from sympozium_protocol.bus.reader import Reader
    from sympozium_protocol.bus.subjects import Own, Said, read

    assert isinstance(reader, Reader)
    gatherer = Gatherer(key)
    while reader.pending:
        message: Stored = await reader.next()
        try:
            _, at = read(message.subject)
            if isinstance(at, Said) and at.verb == "answer":
                story.said(message.data)
            for found in gatherer.take(message):
                if isinstance(found.at, Own):
                    story.file(found.path, found.data)
        except (BadRecord, ValueError) as fault:
            log("bus", run=key.run, passed_over=str(fault))
