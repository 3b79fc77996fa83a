"""What a person says to a run from another terminal, or over the bus: send, approve, deny, cancel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sympozium_cli.person import Mouth, Voice, whoami
from sympozium_cli.place import ON_CLUSTER, Place, on_bus
from sympozium_cli.rundir import RunDirectory, find
from sympozium_cli.terminal import standard_error, visible
from sympozium_protocol import layout
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import Directory, FileFault
from sympozium_protocol.ids import is_id
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.calls import Question, Verdict
from sympozium_protocol.process import read_run


@dataclass(frozen=True, slots=True)
class Reached:
    """A run that can still hear."""

    ipc: Directory
    voice: Voice


@contextlib.contextmanager
def reached(name: str, place: Place, verb: Literal["send", "approve", "cancel"]) -> Iterator[Reached]:
    """The run that RUN names, wherever it is. Raises Ended (RunNotFound, RunFinished, BusRefused, …)."""
    with on_bus(name, place, verb) as there:
        if there is None:
            run = find(name, ON_CLUSTER)
            with run.open_ipc() as ipc:
                _check_unfinished(ipc, run.name)
                if not run.live():
                    _say(f"{run.name} {_when_heard(run)}")
                yield Reached(ipc, Mouth(ipc, whoami()))
            return
        from sympozium_cli.bus.copy import copied
        from sympozium_cli.bus.speaking import BusVoice

        with copied(there.bus, there.run, there.patience) as copy:
            _check_unfinished(copy.ipc, name)
            yield Reached(copy.ipc, BusVoice(there.bus, there.run))


def send(name: str, text: str, place: Place) -> None:
    """Raises Ended."""
    if not text.strip() or len(text) > 256 * 1024:
        raise Ended(Reason.Usage, "command line: TEXT: must have 1 to 262144 characters")
    with reached(name, place, "send") as run:
        run.voice.send(text)
    _say("sent; the agent reads it before its next step")


def cancel(name: str, reason: str, place: Place) -> None:
    """On a cluster whoever may change the AgentRun cancels it there, and no bus is needed. Raises Ended."""
    if place.cluster:
        from sympozium_cli.cluster import objects

        if reason:
            raise Ended(Reason.Usage, "command line: --reason: an AgentRun that is cancelled has none")
        objects.cancel(name, place.cluster)
        return
    with reached(name, place, "cancel") as run:
        run.voice.cancel(reason)
    _say("told to end")


def answer(name: str, call: str, place: Place, *, allow: bool, reason: str = "") -> None:
    """Answer the open question about ``call``, for exactly the bytes that the gate read. Raises Ended."""
    with reached(name, place, "approve") as run:
        question = open_question(run.ipc, call)
        run.voice.answer(question.participant, question.id, question.digest, allow=allow, reason=reason)
    _say(f"{'allowed' if allow else 'denied'} {question.id}: {question.tool} on {question.participant}")


def open_calls(ipc: Directory) -> list[str]:
    """The ids of the calls that wait for a person, as far as they can be read."""
    found = []
    for participant in read_run(ipc).participants:
        found += [q.id for q in _questions(ipc, participant.name) if not _verdict(ipc, q)]
    return found


def _say(text: str) -> None:
    standard_error().line(visible(text))


def _check_unfinished(ipc: Directory, name: str) -> None:
    """Raises Ended (RunFinished)."""
    with ipc.open((layout.AGENT,)) as agent:
        if agent.has(layout.RESULT_FILE):
            raise Ended(Reason.RunFinished, f"{name}: has ended")


def _when_heard(run: RunDirectory) -> str:
    """For a run whose command has gone. Its containers may go on without it."""
    if run.volumes.is_dir():
        from sympozium_cli.launch import leftovers
        from sympozium_cli.launch.engine import Engine

        try:
            if leftovers.running(Engine(), run):
                return "has lost its command, but its containers run: they hear this now"
        except Ended as fault:
            return f"is not running, or in containers that cannot be seen ({fault.message})"
    return "is not running: it hears this when it is resumed"


def open_question(ipc: Directory, call: str) -> Question:
    """The question about ``call``, by its id or as PARTICIPANT/ID, that has no verdict yet.

    Raises Ended (MissingReference).
    """
    whose, _, wanted = call.rpartition("/")
    names = [participant.name for participant in read_run(ipc).participants]
    still_open: list[str] = []
    for participant in names:
        for question in _questions(ipc, participant):
            verdict = _verdict(ipc, question)
            found = question.id == wanted and whose in ("", participant)
            if found and verdict:
                raise Ended(Reason.MissingReference, f"{call}: is answered already: {verdict.reason}")
            if found:
                return question
            still_open += [] if verdict else [question.id]
    said = f"open are: {', '.join(still_open)}" if still_open else "none is open"
    raise Ended(Reason.MissingReference, f"{call}: there is no such question; {said}")


def _questions(ipc: Directory, participant: str) -> list[Question]:
    found = []
    with ipc.open(layout.questions(participant)) as place:
        for name in sorted(place.names()):
            try:
                data = place.read(name)
                found += [Question.decode(data)] if data is not None else []
            except (FileFault, InvalidDocument):  # the gate reports what it cannot use; here it is no question
                continue
    return [q for q in found if q.participant == participant]


def _verdict(ipc: Directory, question: Question) -> Verdict | None:
    if not is_id(question.id):
        return None
    with ipc.open(layout.verdicts(question.participant)) as place:
        try:
            data = place.read(f"{question.id}.json")
            return Verdict.decode(data) if data is not None else None
        except (FileFault, InvalidDocument) as fault:
            raise Ended(Reason.InvalidRun, str(fault)) from None
