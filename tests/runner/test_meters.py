"""Limits hold over the whole run, across restarts, and without the time that a person takes."""

from __future__ import annotations

import pytest

from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages import AssistantMessage, LimitSpec, TextPart, ToolCall, ToolMessage, Usage
from sympozium_runner.meters import ActiveClock, Meters

NOW = "2026-01-01T00:00:00Z"


def exchange(seq: int, answer: str) -> tuple[AssistantMessage, ToolMessage]:
    asked = ToolCall(id=f"{seq}-1", name="t", arguments={"a": 1})
    return (
        AssistantMessage(
            seq=seq, time=NOW, call=f"m{seq}-1", tool_calls=(asked,), usage=Usage(input_tokens=10, usd=0.5)
        ),
        ToolMessage(seq=seq + 1, time=NOW, call=asked.id, tool="t", outcome="ok", content=(TextPart(text=answer),)),
    )


def test_the_same_call_with_the_same_answer_is_counted_and_ends_the_run() -> None:
    meters = Meters(m for n in range(3) for m in exchange(4 + 2 * n, "same"))
    assert meters.repeats == 3
    with pytest.raises(Ended) as ended:
        meters.check(LimitSpec(repeats=3), 0.0)
    assert ended.value.reason is Reason.RepeatedCalls


def test_the_same_call_with_another_answer_is_watching_and_not_repeating() -> None:
    assert Meters(m for n in range(3) for m in exchange(4 + 2 * n, f"tick {n}")).repeats == 1


def test_steps_and_usage_are_read_from_the_transcript() -> None:
    meters = Meters(m for n in range(2) for m in exchange(4 + 2 * n, str(n)))
    assert (meters.steps, meters.usage.input_tokens, meters.usage.usd, meters.usage.tool_calls) == (2, 20, 1.0, 2)
    with pytest.raises(Ended) as ended:
        meters.check(LimitSpec(steps=2), 0.0)
    assert ended.value.reason is Reason.StepLimit


def test_the_clock_stands_still_while_a_person_is_waited_for() -> None:
    now = [100.0]
    clock = ActiveClock(7.0, lambda: now[0])
    now[0] += 1
    clock.wait_for_person("a")
    clock.wait_for_person("b")
    now[0] += 1000
    clock.answered("a")
    assert clock.elapsed() == 8.0
    clock.answered("b")
    now[0] += 2
    assert clock.elapsed() == 10.0
