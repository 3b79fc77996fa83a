"""What happens in a run, read from its files: each message, question, verdict and piece of progress once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from sympozium_protocol import layout
from sympozium_protocol.files import BadFile, Directory, FileFault
from sympozium_protocol.ids import id_of, is_id
from sympozium_protocol.listing import Listed, Numbered
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.calls import Question, Verdict
from sympozium_protocol.messages.transcript import AssistantMessage, Message, ToolMessage, decode_message
from sympozium_protocol.waiting import Watch


@dataclass(frozen=True, slots=True)
class Said:
    """A message of the transcript."""

    message: Message


@dataclass(frozen=True, slots=True)
class Asked:
    """The gate asks a person."""

    question: Question


@dataclass(frozen=True, slots=True)
class Judged:
    """The gate's word on a call; ``asked``: a person was asked about it."""

    verdict: Verdict
    asked: bool


@dataclass(frozen=True, slots=True)
class Streamed:
    """More text of a completion that is still coming."""

    call: str
    text: str


@dataclass(frozen=True, slots=True)
class Progressed:
    """More of what a tool shows while it runs."""

    call: str
    text: str


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A file that cannot be shown."""

    why: str


Event: TypeAlias = Said | Asked | Judged | Streamed | Progressed | Spoilt


class Progress:
    """What grows while one participant works on its calls: lossy, and gone after the reply."""

    def __init__(self, ipc: Directory, participant: str) -> None:
        self.directory = ipc.open(layout.progress(participant))
        self._known: dict[str, int] = {}

    def new(self, done: set[str]) -> Iterator[tuple[str, str]]:
        """What was added to each call since the last look, but for those that are ``done``."""
        for name in self.directory.names():
            if not is_id(name) or name in done:
                continue
            try:
                data = self.directory.read(name) or b""
            except BadFile:  # empty, or growing just now: the next look sees more
                continue
            whole = data.decode("utf-8", "ignore")
            known = self._known.get(name, 0)
            if len(whole) > known:
                self._known[name] = len(whole)
                yield name, whole[known:]


class Lane:
    """The questions and verdicts of one participant, and how its calls come on."""

    def __init__(self, ipc: Directory, participant: str) -> None:
        self.participant = participant
        self.questions = Listed(ipc.open(layout.questions(participant)))
        self.verdicts = Listed(ipc.open(layout.verdicts(participant)))
        self.progress = Progress(ipc, participant)

    def asked(self, call: str) -> bool:
        return self.questions.directory.has(f"{call}.json")


class Events:
    """Reads a run's /ipc. Only the directories opened here are looked at, each file once."""

    def __init__(self, ipc: Directory, participants: Iterable[str], model: str) -> None:
        """``model``: the participant whose calls are messages too, and so are not listed. Raises FileFault."""
        self._transcript = Numbered(ipc.open(layout.TRANSCRIPT))
        self.lanes = [Lane(ipc, name) for name in participants if name != model]
        self._progress = Progress(ipc, model)
        self._done: set[str] = set()
        self._broken = False

    def watch(self, watch: Watch) -> None:
        watch.add(self._transcript.directory)
        watch.add(self._progress.directory, appended=True)
        for lane in self.lanes:
            watch.add(lane.questions.directory)
            watch.add(lane.verdicts.directory)
            watch.add(lane.progress.directory, appended=True)

    def new(self, *, streaming: bool = False) -> Iterator[Event]:
        """What came since the last time, as far as it can be read."""
        if streaming:
            yield from (Streamed(call, text) for call, text in self._progress.new(self._done))
            for lane in self.lanes:
                yield from (Progressed(call, text) for call, text in lane.progress.new(self._done))
        yield from self._messages()
        for lane in self.lanes:
            yield from self._questions(lane)
            yield from self._verdicts(lane)

    def _messages(self) -> Iterator[Event]:
        while not self._broken:
            try:
                found = self._transcript.next()
                if found is None:
                    return
                message = decode_message(found[1])
                if message.seq != found[0]:
                    raise InvalidDocument("Message", f"seq: is not {found[0]}, as the file's name says")
            except (FileFault, InvalidDocument) as fault:
                self._broken = True  # what follows cannot be understood without it
                yield Spoilt(f"agent/transcript: {fault}")
                return
            if isinstance(message, AssistantMessage | ToolMessage):
                self._done.add(message.call)
            yield Said(message)

    def _questions(self, lane: Lane) -> Iterator[Event]:
        for name, data in _files(lane.questions):
            if isinstance(data, Spoilt):
                yield data
                continue
            try:
                question = Question.decode(data)
            except InvalidDocument as fault:
                yield Spoilt(f"{lane.questions.directory.at(name)}: {fault.why}")
                continue
            if (question.participant, f"{question.id}.json") == (lane.participant, name):
                yield Asked(question)

    def _verdicts(self, lane: Lane) -> Iterator[Event]:
        for name, data in _files(lane.verdicts):
            if isinstance(data, Spoilt):
                yield data
                continue
            try:
                verdict = Verdict.decode(data)
            except InvalidDocument as fault:
                yield Spoilt(f"{lane.verdicts.directory.at(name)}: {fault.why}")
                continue
            yield Judged(verdict, lane.asked(verdict.id))


def _files(listed: Listed) -> Iterator[tuple[str, bytes | Spoilt]]:
    for name in listed.new(time.time_ns()):
        if id_of(name) is None:
            continue
        try:
            data = listed.directory.read(name)
        except FileFault as fault:
            yield name, Spoilt(str(fault))
            continue
        if data is not None:
            yield name, data
