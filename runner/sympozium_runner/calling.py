"""One call to one participant, from writing the file to reading the answer: the agent's half.

The id says which call of which turn it is, so a file that is there was sent: a restarted agent
waits for its answer and does not send it twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.failpoints import failpoint
from sympozium_protocol.files import BadFile, digest
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.calls import Call, Outcome, Reply, TextPart, Verdict
from sympozium_protocol.process import log
from sympozium_protocol.waiting import Pace, Watch
from sympozium_runner.meters import ActiveClock
from sympozium_runner.places import Counter, Places

CANCEL_GRACE = 5.0
"""Seconds that a participant has to answer a withdrawn call that it had started."""

TIMEOUT_SLACK = 7.0
"""A timeout is the participant's to answer: it stops the tool and cleans up first."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended: the participant's Reply and the digest of its bytes, or what stands for one."""

    reply: Reply
    digest: str | None = None
    verdict: Verdict | None = None


class Caller:
    """Makes calls. ``stop`` tells, at any time, whether the run must end now, and why."""

    def __init__(
        self,
        places: Places,
        watch: Watch,
        clock: ActiveClock,
        limit: int,
        patience: float,
        stop: Callable[[], Ended | None],
    ) -> None:
        """``limit``: how many calls the run may make in all, those of former lives included. ``patience``: seconds
        for which a person is waited for while nothing else goes on."""
        self.places = places
        self.watch = watch
        self.clock = clock
        self.limit = limit
        self.patience = patience
        self.stop = stop
        self.open = 0
        self.made = sum(len(counter.calls.names()) for counter in places.counters.values())

    async def call(self, call: Call, *, timeout: float) -> Answer:
        """Send it (or take up one that was sent) and wait. ``timeout``: seconds from start.

        Raises Ended (BridgeLost, CallLimit, Suspended), CannotWrite. What ``stop`` says only makes it withdraw.
        """
        counter = self.places.counters[call.participant]
        found = self._send(counter, call)
        waiting = _Waiting(self, counter, call, found, timeout)
        self.open += 1
        try:
            return await waiting.answer()
        finally:
            self.open -= 1
            self.clock.answered(call.id)

    def check_patience(self) -> None:
        """A pod is not kept for a person who does not come: the run goes on when he has answered.

        Raises Ended (Suspended).
        """
        if self.clock.waiting == self.open and self.clock.waited() > self.patience:
            raise Ended(Reason.Suspended, f"nobody answered within {self.patience:g} s; answer, then resume the run")

    def _send(self, counter: Counter, call: Call) -> str:
        """The digest of the bytes that were sent, now or by a former life."""
        name = f"{call.id}.json"
        data = counter.calls.read(name)
        if data is None:
            if self.made >= self.limit:
                raise Ended(Reason.CallLimit, f"the run's limit of {self.limit} calls is reached")
            self.made += 1
            data = call.encode()
            self.places.ledger.take(counter.calls.at(name), len(data), bulk=True)
            failpoint("before-call")
            counter.calls.write(name, data)
            failpoint("call")
        return digest(data)


class _Waiting:
    """The wait for one answer."""

    def __init__(self, caller: Caller, counter: Counter, call: Call, found: str, timeout: float) -> None:
        self.caller = caller
        self.counter = counter
        self.call = call
        self.name = f"{call.id}.json"
        self.digest = found
        self.timeout = timeout
        self.started_at: float | None = None
        self.allowed = False
        self.asked = False

    async def answer(self) -> Answer:
        pace = Pace(self.caller.watch)
        while (found := self._look(time.monotonic())) is None:
            if cause := self.caller.stop():
                return await self._give_up("cancelled", cause)
            if self.asked and not self.allowed:
                self.caller.check_patience()
            if self._overdue(time.monotonic()):
                return await self._give_up("timeout", None)
            if self._unattended(time.monotonic()):
                return await self._give_up("unavailable", None)
            await pace.wait()
        return found

    def _look(self, now: float) -> Answer | None:
        """An answer, if there is one: a Reply, or a Verdict that denies."""
        if reply := self._reply():
            return reply
        if not self.allowed and (verdict := self._verdict()) is not None:
            self.caller.clock.answered(self.call.id)
            if verdict.decision == "deny":
                return Answer(self._stand_in("denied", f"Denied: {verdict.reason}."), verdict=verdict)
            self.allowed = True
        if not self.allowed and not self.asked and self.counter.questions.has(self.name):
            self.asked = True
            self.caller.clock.wait_for_person(self.call.id)
        if self.allowed and self.started_at is None and self.counter.started.has(self.call.id):
            self.started_at = now
        return None

    def _reply(self) -> Answer | None:
        try:
            data = self.counter.replies.read(self.name)
            if data is None:
                return None
            reply = Reply.decode(data)
        except (BadFile, InvalidDocument) as fault:
            log("file refused", path=self.counter.replies.at(self.name), why=fault.why)
            return Answer(self._stand_in("error", f"{self.counter.name} gave an answer that cannot be read."))
        if reply.id != self.call.id or reply.digest != self.digest:
            log("file refused", path=self.counter.replies.at(self.name), why="answers another call")
            return Answer(self._stand_in("error", f"{self.counter.name} gave an answer to another call."))
        return Answer(reply, digest(data))

    def _verdict(self) -> Verdict | None:
        try:
            data = self.counter.verdicts.read(self.name)
            return Verdict.decode(data) if data is not None else None
        except (BadFile, InvalidDocument) as fault:
            raise Ended(Reason.BridgeLost, f"{self.counter.verdicts.at(self.name)}: {fault.why}") from None

    def _overdue(self, now: float) -> bool:
        return self.started_at is not None and now - self.started_at > self.timeout + TIMEOUT_SLACK

    def _unattended(self, now: float) -> bool:
        """Is whoever must act next dead? Without the gate nothing can go on, so that ends the run."""
        if not self.allowed:
            if self.caller.places.bridge_pulse.dead(now):
                raise Ended(Reason.BridgeLost, "the gate has shown no sign of life")
            return False
        return self.started_at is None and self.counter.pulse.dead(now)

    async def _give_up(self, outcome: Outcome, cause: Ended | None) -> Answer:
        """Withdraw, then look whether it was started: only then may it have done something."""
        self.counter.withdrawn.mark(self.call.id)
        failpoint("withdrawn")
        pace = Pace(self.caller.watch)
        ends = time.monotonic() + CANCEL_GRACE
        while (found := self._reply()) is None and self.counter.started.has(self.call.id):
            left = ends - time.monotonic()
            if left <= 0:
                outcome = "interrupted"
                break
            await pace.wait(left)
        return found or Answer(self._stand_in(outcome, _WORDS[outcome].format(self=self, cause=cause)))

    def _stand_in(self, outcome: Outcome, words: str) -> Reply:
        return Reply(id=self.call.id, digest=self.digest, outcome=outcome, content=(TextPart(text=words),))


_WORDS: dict[Outcome, str] = {
    "cancelled": "{self.call.tool} was not run, because the run was ended ({cause.message}).",
    "timeout": "{self.call.tool} gave no answer within its {self.timeout:g} s.",
    "unavailable": "{self.counter.name} shows no sign of life; {self.call.tool} was not run.",
    "interrupted": "{self.call.tool} had been started and gave no further sign. It may have taken effect in whole, "
    "in part or not at all: look before doing it again.",
}
