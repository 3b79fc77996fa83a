"""next_step is the heart of the loop and of resume: the same messages always lead to the same step."""

from __future__ import annotations

from hypothesis import given, strategies as st

from sympozium_protocol.messages import (
    AssistantMessage,
    InboundMessage,
    Message,
    ModelSpec,
    NoteMessage,
    PolicySpec,
    PreludeCall,
    RecollectionMessage,
    RunSpec,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolsMessage,
    UserMessage,
)
from sympozium_runner.steps import AnswerTools, AskModel, Begin, Finish, GoOn, Recollect, Refused, next_step

NOW = "2026-01-01T00:00:00Z"
SPEC = RunSpec(
    run="r1",
    agent="a",
    created=NOW,
    input="why",
    model=ModelSpec(provider="scripted", model="m"),
    policies=(PolicySpec(name="permissive", template="Permissive"),),
)
OPENING: tuple[Message, ...] = (
    SystemMessage(seq=1, time=NOW, text="s"),
    ToolsMessage(seq=2, time=NOW, tools=()),
    UserMessage(seq=3, time=NOW, text="why"),
)


def turn(seq: int, *calls: str, finish: str = "end", text: str = "said") -> AssistantMessage:
    asked = tuple(ToolCall(id=call, name="t", arguments={}) for call in calls)
    return AssistantMessage(seq=seq, time=NOW, call=f"m{seq}-1", text=text, tool_calls=asked, finish=finish)  # type: ignore[arg-type]


def answer(seq: int, call: str) -> ToolMessage:
    return ToolMessage(seq=seq, time=NOW, call=call, tool="t", outcome="ok")


def test_an_empty_transcript_begins_and_a_half_written_opening_is_gone_on_with() -> None:
    assert [next_step(OPENING[:n], SPEC) for n in range(3)] == [Begin(1), Begin(2), Begin(3)]
    assert next_step(OPENING, SPEC) == AskModel(4)


def test_prelude_calls_come_before_the_first_model_call_and_once_each() -> None:
    spec = SPEC.model_copy(update={"prelude": (PreludeCall(participant="memory", tool="memory_search"),) * 2})
    recollection = RecollectionMessage(
        seq=4, time=NOW, participant="memory", tool="memory_search", call="3-1", outcome="ok"
    )
    assert next_step(OPENING, spec) == Recollect(0, 3)
    assert next_step((*OPENING, recollection), spec) == Recollect(1, 3)
    both = (*OPENING, recollection, recollection.model_copy(update={"seq": 5}))
    assert next_step(both, spec) == AskModel(6)


def test_only_the_unanswered_calls_of_a_turn_are_answered_after_a_crash() -> None:
    asked = turn(4, "4-1", "4-2", "4-3", finish="tools")
    assert next_step((*OPENING, asked, answer(5, "4-1")), SPEC) == AnswerTools(asked.tool_calls[1:])
    answered = (*OPENING, asked, answer(5, "4-1"), answer(6, "4-2"), answer(7, "4-3"))
    assert next_step(answered, SPEC) == AskModel(8)


def test_a_turn_without_calls_is_the_answer_unless_it_was_cut_or_refused() -> None:
    assert next_step((*OPENING, turn(4)), SPEC) == Finish("said")
    assert next_step((*OPENING, turn(4, finish="length")), SPEC) == GoOn()
    assert next_step((*OPENING, turn(4, finish="refused")), SPEC) == Refused("said")


def test_what_comes_after_an_answer_is_put_before_the_model() -> None:
    follow_up = InboundMessage(seq=5, time=NOW, inbound=1, by="ann", text="and then?")
    note = NoteMessage(seq=5, time=NOW, text="go on")
    assert next_step((*OPENING, turn(4), follow_up), SPEC) == AskModel(6)
    assert next_step((*OPENING, turn(4, finish="length"), note), SPEC) == AskModel(6)


@given(st.lists(st.integers(min_value=0, max_value=3), max_size=12))
def test_following_the_steps_always_ends_and_never_answers_a_call_twice(plan: list[int]) -> None:
    messages: list[Message] = list(OPENING)
    plan = [*plan, 0]
    while not isinstance(step := next_step(messages, SPEC), Finish):
        seq = len(messages) + 1
        if isinstance(step, AskModel):
            assert step.seq == seq
            messages.append(turn(seq, *(f"{seq}-{n + 1}" for n in range(plan.pop(0)))))
        else:
            assert isinstance(step, AnswerTools)
            messages.append(answer(seq, step.calls[0].id))
    answered = [m.call for m in messages if isinstance(m, ToolMessage)]
    assert len(answered) == len(set(answered))
