"""Questions: calls that wait for a person. Written once, answered once, expired at their time."""

from __future__ import annotations

from dataclasses import dataclass

from sympozium_bridge.journal import Journal
from sympozium_bridge.places import Lane, Places
from sympozium_bridge.reading import Reading
from sympozium_protocol import clock, layout
from sympozium_protocol.bus.places import path_of
from sympozium_protocol.files import BadFile
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.calls import Question
from sympozium_protocol.messages.console import Answer
from sympozium_protocol.policy import Judgement


@dataclass(frozen=True, slots=True)
class Open:
    """A question that has no answer yet. ``expires`` in seconds since the epoch."""

    reading: Reading
    expires: float


class Questions:
    """The open questions of a run."""

    def __init__(self, places: Places, expiry: float, journal: Journal) -> None:
        self._places = places
        self._expiry = expiry
        self._journal = journal
        self._open: dict[tuple[str, str], Open] = {}

    def ask(self, reading: Reading, now: float) -> None:
        """Put the call before a person, or take up the question that a former life asked."""
        lane = self._places.lanes[reading.participant]
        name = f"{reading.id}.json"
        former = self._former(lane, name)
        if former is None:
            question = question_of(reading, now, self._expiry)
            self._places.write(lane.questions, name, question.encode())
            former = question
        self._journal.add(path_of(layout.questions(reading.participant), name), former.encode())
        self._open[reading.participant, reading.id] = Open(reading, clock.seconds(former.expires))

    def _former(self, lane: Lane, name: str) -> Question | None:
        data = lane.questions.read(name)
        if data is None:
            return None
        try:
            return Question.decode(data)
        except InvalidDocument as fault:
            raise BadFile(lane.questions.at(name), fault.why) from None

    def answer(self, answer: Answer) -> tuple[Reading, Judgement] | str:
        """What a person's answer decides; or why it decides nothing."""
        key = (answer.participant, answer.id)
        found = self._open.get(key)
        if found is None:
            return "no open question of that participant and id (the first answer counts)"
        if answer.digest != found.reading.digest:
            return "the answer is for other bytes than the question's"
        del self._open[key]
        return found.reading, judgement_of(answer)

    def settled_without_answer(self, now: float) -> list[tuple[Reading, Judgement]]:
        """Questions that expired, or whose call the agent withdrew."""
        done = [(key, why) for key, found in self._open.items() if (why := self._over(found, now))]
        return [(self._open.pop(key).reading, Judgement("deny", "gate", why)) for key, why in done]

    def _over(self, found: Open, now: float) -> str:
        if now >= found.expires:
            return f"nobody answered within {self._expiry:g} s"
        lane = self._places.lanes[found.reading.participant]
        return "the call was withdrawn before it was answered" if lane.withdrawn.has(found.reading.id) else ""

    def forget(self, participant: str, call: str) -> None:
        """It has a verdict."""
        self._open.pop((participant, call), None)

    @property
    def open(self) -> tuple[str, ...]:
        """participant/call of each."""
        return tuple(f"{participant}/{call}" for participant, call in self._open)

    def next_expiry(self, now: float) -> float | None:
        """Seconds until the first question expires."""
        return max(0.0, min(found.expires for found in self._open.values()) - now) if self._open else None


def question_of(reading: Reading, now: float, expiry: float) -> Question:
    """The question for a call as the gate read it (never as the agent tells it)."""
    assert reading.call is not None
    return Question(
        id=reading.id,
        participant=reading.participant,
        tool=reading.call.tool,
        arguments=reading.call.arguments,
        effect=reading.effect,
        digest=reading.digest,
        reason=reading.judgement.reason,
        time=clock.utc(now),
        expires=clock.utc(now + expiry),
    )


def judgement_of(answer: Answer) -> Judgement:
    """A person's answer as a judgement, in words that the model reads."""
    words = "approved" if answer.decision == "allow" else "denied"
    reason = f"{answer.by} {words} it" + (f": {answer.reason}" if answer.reason else "")
    return Judgement(answer.decision, f"person:{answer.by}", reason)
