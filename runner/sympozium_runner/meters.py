"""What a run has used, read from its transcript, and the limits that it may not pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages.result import RunUsage
from sympozium_protocol.messages.spec import LimitSpec
from sympozium_protocol.messages.transcript import AssistantMessage, Message, ToolCall, ToolMessage


class ActiveClock:
    """The run's active seconds: across restarts, and without the time that a person is waited for."""

    def __init__(self, before: float, now: Callable[[], float] = time.monotonic) -> None:
        """``before``: the active seconds of former lives."""
        self._now = now
        self._before = before
        self._since = self._asked = now()
        self._waiting: set[str] = set()

    def elapsed(self) -> float:
        return self._before if self._waiting else self._before + self._now() - self._since

    def wait_for_person(self, call_id: str) -> None:
        """Stop while at least one call waits for a person."""
        self._before = self.elapsed()
        if not self._waiting:
            self._asked = self._now()
        self._waiting.add(call_id)

    @property
    def waiting(self) -> int:
        """How many calls wait for a person."""
        return len(self._waiting)

    def waited(self) -> float:
        """Seconds since the first of them began to."""
        return self._now() - self._asked if self._waiting else 0.0

    def answered(self, call_id: str) -> None:
        if call_id in self._waiting:
            self._waiting.remove(call_id)
            self._since = self._now()


class Meters:
    """Counts over the transcript, kept as messages come (a step costs the same at any length)."""

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self.steps = 0
        self.usage = RunUsage()
        self.repeats = 0
        self._last: tuple[object, ...] | None = None
        self._asked: dict[str, ToolCall] = {}
        for message in messages:
            self.count(message)

    def count(self, message: Message) -> None:
        if isinstance(message, AssistantMessage):
            self._count_turn(message)
        elif isinstance(message, ToolMessage):
            self._count_repeat(message)
            self.usage = self.usage.model_copy(update={"tool_calls": self.usage.tool_calls + 1})

    def _count_turn(self, turn: AssistantMessage) -> None:
        self.steps += 1
        self._asked = {call.id: call for call in turn.tool_calls}
        had, new = self.usage, turn.usage
        self.usage = RunUsage(
            input_tokens=had.input_tokens + new.input_tokens,
            output_tokens=had.output_tokens + new.output_tokens,
            cached_input_tokens=had.cached_input_tokens + new.cached_input_tokens,
            model_calls=had.model_calls + 1,
            tool_calls=had.tool_calls,
            usd=had.usd + new.usd,
        )

    def _count_repeat(self, answer: ToolMessage) -> None:
        asked = self._asked.get(answer.call)
        arguments = repr(asked.arguments or asked.malformed) if asked else ""
        content = tuple(part.model_dump_json() for part in answer.content)
        this = (answer.tool, arguments, answer.outcome, content)
        self.repeats = self.repeats + 1 if this == self._last else 1
        self._last = this

    def check(self, limits: LimitSpec, elapsed: float) -> None:
        """Before a further model call. Raises Ended."""
        check_time(limits, elapsed)
        if limits.steps and self.steps >= limits.steps:
            raise Ended(Reason.StepLimit, f"the run's limit of {limits.steps} steps is reached")
        if self.repeats >= limits.repeats:
            raise Ended(
                Reason.RepeatedCalls,
                f"the same call had the same answer {self.repeats} times in a row (limits.repeats)",
            )


def check_time(limits: LimitSpec, elapsed: float) -> None:
    """Raises Ended (Timeout) when the run has used up its time."""
    if limits.timeout and elapsed >= limits.timeout:
        raise Ended(Reason.Timeout, f"the run's limit of {limits.timeout:g} s is reached")


def time_left(limits: LimitSpec, elapsed: float) -> float | None:
    """Seconds of active time left; None without a limit."""
    return max(0.0, limits.timeout - elapsed) if limits.timeout else None


def active_before(messages: Sequence[Message]) -> float:
    """The active seconds of former lives."""
    return messages[-1].elapsed if messages else 0.0
