"""The gate's loop: look at everything once, write what follows, wait."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from sympozium_bridge.console import Console
from sympozium_bridge.durability import Durability
from sympozium_bridge.inbox import Inbox
from sympozium_bridge.journal import Journal
from sympozium_bridge.outbox import Outbox
from sympozium_bridge.places import Lane, Places
from sympozium_bridge.questions import Questions
from sympozium_bridge.reading import Reading, read_bytes
from sympozium_protocol import clock, layout
from sympozium_protocol.bus.places import call_path, place_of, verdict_path
from sympozium_protocol.durable import sync_together
from sympozium_protocol.failpoints import failpoint
from sympozium_protocol.files import BadFile, Directory, Exists
from sympozium_protocol.ids import id_of
from sympozium_protocol.messages.calls import Verdict
from sympozium_protocol.messages.console import Answer
from sympozium_protocol.messages.spec import RunSpec
from sympozium_protocol.policy import Judgement
from sympozium_protocol.process import log
from sympozium_protocol.waiting import Pace, Watch

UNKNOWN_FOR = 1.0
"""Seconds in which nothing is judged while it is not known what the run's stream has."""

BEYOND = 100
"""Calls over the limit that are still answered (denied); what comes after is flooding and not read."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A call's file; ``number`` counts those of the run, this one included."""

    lane: Lane
    call: str
    number: int


Allowed: TypeAlias = Callable[[str, str, bytes, bytes], None]
"""(participant, call, bytes of the Call, bytes of its Verdict)"""


@dataclass(frozen=True, slots=True)
class Held:
    """A verdict that is staged, and appears when the stream has everything up to ``mark``."""

    reading: Reading
    aside: str
    data: bytes
    mark: int


class Gate:
    """One life of the gate. ``outbox``: where there is a bus; ``journal`` is then what it gets."""

    def __init__(self, spec: RunSpec, places: Places, journal: Journal, outbox: Outbox | None = None) -> None:
        self.spec = spec
        self.places = places
        self.journal = journal
        self.outbox = outbox
        self.questions = Questions(places, spec.approval.expiry, journal)
        self.inbox = Inbox(places, journal)
        self.console = Console(places, self.inbox)
        self.durability = Durability(places, journal)
        self.calls_seen = 0
        self.heard: deque[Answer] = deque()
        """Answers that came over the bus."""
        self.allowed: Allowed = lambda participant, call_id, call, verdict: None
        """Told of each call that may be made now, with the bytes of the Call and of its Verdict."""
        self.wake: Callable[[], None] = lambda: None
        """Makes the gate look now."""
        self.looked: Callable[[], None] = lambda: None
        """Called after each look."""
        self.judging = not journal.published
        """Not before it is known what a former gate said, or for a while: what only reads need not wait for a bus."""
        self._unjudged: list[Reading] = []
        self._held: deque[Held] = deque()
        self._bytes: dict[tuple[str, str], bytes] = {}

    async def run(self, watch: Watch) -> None:
        """Until cancelled. Raises FileFault when the gate's own volume cannot be used."""
        for lane in self.places.lanes.values():
            watch.add(lane.calls)
            watch.add(lane.withdrawn, marks=True)
        watch.add(self.places.console)
        watch.add(self.places.agent)
        if self.outbox:
            self.outbox.watch(watch)
        self.wake = watch.pulse
        pace = Pace(watch)
        self.look(time.time())
        self._order_backlog()
        ends = time.monotonic() + UNKNOWN_FOR
        while True:
            self.judging = self.judging or time.monotonic() > ends
            if self.look(time.time()):
                pace.active()
            self.looked()
            await pace.wait(self.questions.next_expiry(time.time()) if self.judging else UNKNOWN_FOR / 10)

    def last_look(self) -> None:
        """What came in the last moment goes to the journal too. Nothing is judged any more."""
        if self.outbox:
            self.outbox.collect()
        self.durability.finish()

    def _order_backlog(self) -> None:
        """What a former life left to publish was found directory by directory."""
        self.journal.sort()
        self._held = deque(replace(held, mark=self.journal.mark) for held in self._held)

    def look(self, now: float) -> bool:
        """One pass over everything that may have come. Was there anything?"""
        found, published = self._collect(now)
        readings = self._to_judge([reading for seen in found if (reading := self._read(seen))])
        if not self.judging:
            return published
        # asked first: an answer may have come while no gate was there to hear it
        for reading in (r for r in readings if r.judgement.decision == "ask"):
            self.questions.ask(reading, now)
        answers = [*self.console.answers(), *self._heard()]
        settled = self._settle(answers)
        settled += self.questions.settled_without_answer(now)
        decided = [(r, r.judgement) for r in readings if r.judgement.decision != "ask"] + settled
        self._write_verdicts(decided, now)
        released = self._release()
        finished = self.durability.finish()
        return bool(published or readings or answers or settled or released or finished)

    def _collect(self, now: float) -> tuple[list[Seen], bool]:
        """Calls are listed before the rest is read, and read after it: what a call rests on is published first."""
        calls = []
        if not self.journal.full:
            calls = [seen for lane in self.places.lanes.values() for seen in self._new_calls(lane, now)]
        return calls, self.outbox.collect() if self.outbox else False

    def _to_judge(self, readings: list[Reading]) -> list[Reading]:
        """Those that have no verdict by now, once it is time."""
        self._unjudged += readings
        if not self.judging:
            return []
        found, self._unjudged = self._unjudged, []
        return [one for one in found if not self.places.lanes[one.participant].verdicts.has(f"{one.id}.json")]

    def _heard(self) -> Iterator[Answer]:
        while self.heard:
            yield self.heard.popleft()

    def _settle(self, answers: Sequence[Answer]) -> list[tuple[Reading, Judgement]]:
        answered = [self.questions.answer(answer) for answer in answers]
        for why in (found for found in answered if isinstance(found, str)):
            log("answer ignored", why=why)
        return [found for found in answered if not isinstance(found, str)]

    def _new_calls(self, lane: Lane, now: float) -> Iterator[Seen]:
        """Calls that were not there before. What is beyond the limit is not even looked at."""
        for name in lane.names.new(int(now * 1e9)):
            if self.calls_seen >= self.spec.limits.calls + BEYOND:
                break
            call_id = id_of(name)
            if call_id is None:
                log("file refused", path=lane.calls.at(name), why="is not named <id>.json")
                continue
            self.calls_seen += 1
            if self.journal.published or not lane.verdicts.has(name):
                yield Seen(lane, call_id, self.calls_seen)

    def _publish_former(self, lane: Lane, call_id: str, call: bytes | BadFile) -> None:
        """What a former life judged: in the stream too, if that life did not come to it."""
        if not isinstance(call, BadFile):
            self.journal.add(call_path(lane.participant, call_id), call)
        verdict = lane.verdicts.read(f"{call_id}.json")
        if verdict is not None:
            self.journal.add(verdict_path(lane.participant, call_id), verdict)

    def _bytes_of(self, lane: Lane, call_id: str) -> bytes | BadFile:
        name = f"{call_id}.json"
        try:
            return lane.calls.read(name) or BadFile(lane.calls.at(name), "is not there any more")
        except BadFile as fault:
            return fault

    def _read(self, seen: Seen) -> Reading | None:
        """None when it was judged by a former life."""
        lane, call_id = seen.lane, seen.call
        data = self._bytes_of(lane, call_id)
        if lane.verdicts.has(f"{call_id}.json"):
            self._publish_former(lane, call_id, data)
            return None
        if isinstance(data, BadFile):
            log("file refused", path=data.path, why=data.why)
        elif self.journal.published:
            self.journal.add(call_path(lane.participant, call_id), data)
            self._bytes[lane.participant, call_id] = data
        return read_bytes(lane.participant, call_id, data, self.spec, number=seen.number)

    def _write_verdicts(self, decided: Sequence[tuple[Reading, Judgement]], now: float) -> None:
        """What only reads goes first: it need not wait for the disk that a write waits for."""
        writes = [pair for pair in decided if pair[1].decision == "allow" and pair[0].effect == "write"]
        for reading, judgement in decided:
            if (reading, judgement) not in writes:
                self._write_verdict(reading, judgement, now)
        if writes:
            failpoint("before-durable")
            self._allow_writes(writes, now)

    def _allow_writes(self, writes: Sequence[tuple[Reading, Judgement]], now: float) -> None:
        """Put the transcript, these calls and their verdicts on the disk together; then let the verdicts appear."""
        staged = [(reading, *self._stage(reading, judgement, now)) for reading, judgement in writes]
        try:
            self.durability.batch([place for reading, aside, _ in staged for place in self._rests_on(reading, aside)])
        except BadFile as fault:
            log("file refused", path=fault.path, why=fault.why)
            refused = Judgement("deny", "gate", f"it cannot be made durable: {fault.path} {fault.why}")
            for reading, aside, _ in staged:
                self.places.lanes[reading.participant].verdicts.discard(aside)
                self._write_verdict(reading, refused, now)
            return
        for reading, aside, data in staged:
            self.journal.add(verdict_path(reading.participant, reading.id), data)
            self._held.append(Held(reading, aside, data, self.journal.mark))
        self._release()

    def _release(self) -> bool:
        """Let those verdicts appear that everything they rest on is safe for."""
        ready = []
        while self._held and self.journal.reached(self._held[0].mark):
            ready.append(self._held.popleft())
        for held in ready:
            failpoint("before-verdict")
            self.places.lanes[held.reading.participant].verdicts.appear(held.aside, f"{held.reading.id}.json")
            failpoint("verdict")
        if ready:
            sync_together({self.places.lanes[held.reading.participant].verdicts: () for held in ready})
        for held in ready:
            self._tell_allowed(held.reading, held.data)
        return bool(ready)

    def adopt(self, participant: str, call_id: str, data: bytes) -> bool:
        """The stream has this verdict of a former life, which did not come to write its file: it holds.

        False when there is a file, which should then be the same.
        """
        lane = self.places.lanes.get(participant)
        if lane is None or lane.verdicts.has(f"{call_id}.json"):
            return False
        for held in [h for h in self._held if (h.reading.participant, h.reading.id) == (participant, call_id)]:
            self._held.remove(held)
            lane.verdicts.discard(held.aside)
        self.places.write(lane.verdicts, f"{call_id}.json", data, durable=True)
        self.questions.forget(participant, call_id)
        call = self._bytes.pop((participant, call_id), None)
        if call is not None and Verdict.decode(data).decision == "allow":
            self.allowed(participant, call_id, call, data)
        return True

    def holds(self, path: str, data: bytes) -> bool:
        """Is it a file of the gate's own, as it is here?"""
        place, name = place_of(path)
        if place[:1] != (layout.BRIDGE,):
            return False
        kind = {"verdicts": lambda lane: lane.verdicts, "questions": lambda lane: lane.questions}
        if place == layout.INBOX:
            return self.places.inbox.read(name) == data
        lane = self.places.lanes.get(place[2])
        return lane is not None and kind[place[1]](lane).read(name) == data

    def restore(self, path: str, data: bytes) -> bool:
        """The stream has a file of the gate's own that this directory lacks: write it. Is it one?"""
        place, name = place_of(path)
        if place[:1] != (layout.BRIDGE,):
            return False
        if place == layout.INBOX:
            self.inbox.restore(name, data)
        elif place[1] == "verdicts":
            return self.adopt(place[2], name.removesuffix(".json"), data)
        else:
            with contextlib.suppress(Exists):
                self.places.write(self.places.lanes[place[2]].questions, name, data, durable=True)
        return True

    @property
    def ended(self) -> bool:
        """Is the run's result safe?"""
        return self.durability.said

    def _tell_allowed(self, reading: Reading, verdict: bytes) -> None:
        call = self._bytes.pop((reading.participant, reading.id), None)
        if call is not None:
            self.allowed(reading.participant, reading.id, call, verdict)

    def _stage(self, reading: Reading, judgement: Judgement, now: float) -> tuple[str, bytes]:
        verdicts = self.places.lanes[reading.participant].verdicts
        data = verdict_of(reading, judgement, now).encode()
        return self.places.stage(verdicts, f"{reading.id}.json", data), data

    def _rests_on(self, reading: Reading, aside: str) -> list[tuple[Directory, str]]:
        lane = self.places.lanes[reading.participant]
        return [(lane.calls, f"{reading.id}.json"), (lane.verdicts, aside)]

    def _write_verdict(self, reading: Reading, judgement: Judgement, now: float) -> None:
        """One that nothing durable rests on: a denial, or leave to read."""
        failpoint("before-verdict")
        verdicts = self.places.lanes[reading.participant].verdicts
        data = verdict_of(reading, judgement, now).encode()
        self.places.write(verdicts, f"{reading.id}.json", data)
        failpoint("verdict")
        self.journal.add(verdict_path(reading.participant, reading.id), data)
        if judgement.decision == "allow":
            self._tell_allowed(reading, data)
        self._bytes.pop((reading.participant, reading.id), None)


def verdict_of(reading: Reading, judgement: Judgement, now: float) -> Verdict:
    """The gate's word on the bytes that it read."""
    return Verdict(
        id=reading.id,
        participant=reading.participant,
        decision="allow" if judgement.decision == "allow" else "deny",
        digest=reading.digest,
        by=judgement.by,
        reason=judgement.reason,
        time=clock.utc(now),
    )
