"""The gate's loop: look at everything once, write what follows, wait."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sympozium_bridge.console import Console
from sympozium_bridge.durability import Durability
from sympozium_bridge.places import Lane, Places
from sympozium_bridge.questions import Questions
from sympozium_bridge.reading import Reading, read_bytes
from sympozium_protocol import clock
from sympozium_protocol.durable import sync_together
from sympozium_protocol.failpoints import failpoint
from sympozium_protocol.files import BadFile, Directory
from sympozium_protocol.ids import id_of
from sympozium_protocol.messages.calls import Verdict
from sympozium_protocol.messages.spec import RunSpec
from sympozium_protocol.policy import Judgement
from sympozium_protocol.process import log
from sympozium_protocol.waiting import Pace, Watch

BEYOND = 100
"""Calls over the limit that are still answered (denied); what comes after is flooding and not read."""


class Gate:
    """One life of the gate."""

    def __init__(self, spec: RunSpec, places: Places) -> None:
        self.spec = spec
        self.places = places
        self.questions = Questions(places, spec.approval.expiry)
        self.console = Console(places)
        self.durability = Durability(places)
        self.calls_seen = 0

    async def run(self, watch: Watch) -> None:
        """Until cancelled. Raises FileFault when the gate's own volume cannot be used."""
        for lane in self.places.lanes.values():
            watch.add(lane.calls)
            watch.add(lane.withdrawn, marks=True)
        watch.add(self.places.console)
        watch.add(self.places.agent)
        pace = Pace(watch)
        while True:
            if self.look(time.time()):
                pace.active()
            await pace.wait(self.questions.next_expiry(time.time()))

    def look(self, now: float) -> bool:
        """One pass over everything that may have come. Was there anything?"""
        readings = [reading for lane in self.places.lanes.values() for reading in self._new_calls(lane, now)]
        # asked first: an answer may have come while no gate was there to hear it
        for reading in (r for r in readings if r.judgement.decision == "ask"):
            self.questions.ask(reading, now)
        answered = [self.questions.answer(answer) for answer in self.console.answers()]
        settled = [found for found in answered if not isinstance(found, str)]
        for why in (found for found in answered if isinstance(found, str)):
            log("answer ignored", why=why)
        settled += self.questions.settled_without_answer(now)
        decided = [(r, r.judgement) for r in readings if r.judgement.decision != "ask"] + settled
        self._write_verdicts(decided, now)
        finished = self.durability.finish()
        return bool(readings or answered or settled or finished)

    def _new_calls(self, lane: Lane, now: float) -> list[Reading]:
        found: list[Reading] = []
        for name in lane.names.new(int(now * 1e9)):
            if self.calls_seen >= self.spec.limits.calls + BEYOND:
                break
            call_id = id_of(name)
            if call_id is None:
                log("file refused", path=lane.calls.at(name), why="is not named <id>.json")
                continue
            self.calls_seen += 1
            if not lane.verdicts.has(name):
                found.append(self._read(lane, call_id))
        return found

    def _read(self, lane: Lane, call_id: str) -> Reading:
        name = f"{call_id}.json"
        data: bytes | BadFile
        try:
            data = lane.calls.read(name) or BadFile(lane.calls.at(name), "is not there any more")
        except BadFile as fault:
            data = fault
        if isinstance(data, BadFile):
            log("file refused", path=data.path, why=data.why)
        return read_bytes(lane.participant, call_id, data, self.spec, number=self.calls_seen)

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
        staged = [(reading, self._stage(reading, judgement, now)) for reading, judgement in writes]
        try:
            self.durability.batch([place for reading, aside in staged for place in self._rests_on(reading, aside)])
        except BadFile as fault:
            log("file refused", path=fault.path, why=fault.why)
            refused = Judgement("deny", "gate", f"it cannot be made durable: {fault.path} {fault.why}")
            for reading, aside in staged:
                self.places.lanes[reading.participant].verdicts.discard(aside)
                self._write_verdict(reading, refused, now)
            return
        for reading, aside in staged:
            failpoint("before-verdict")
            self.places.lanes[reading.participant].verdicts.appear(aside, f"{reading.id}.json")
            failpoint("verdict")
        sync_together({self.places.lanes[reading.participant].verdicts: () for reading, _ in staged})

    def _stage(self, reading: Reading, judgement: Judgement, now: float) -> str:
        verdicts = self.places.lanes[reading.participant].verdicts
        return self.places.stage(verdicts, f"{reading.id}.json", verdict_of(reading, judgement, now).encode())

    def _rests_on(self, reading: Reading, aside: str) -> list[tuple[Directory, str]]:
        lane = self.places.lanes[reading.participant]
        return [(lane.calls, f"{reading.id}.json"), (lane.verdicts, aside)]

    def _write_verdict(self, reading: Reading, judgement: Judgement, now: float) -> None:
        """One that nothing durable rests on: a denial, or leave to read."""
        failpoint("before-verdict")
        verdicts = self.places.lanes[reading.participant].verdicts
        self.places.write(verdicts, f"{reading.id}.json", verdict_of(reading, judgement, now).encode())
        failpoint("verdict")


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
