"""What the controller makes of a run's stream: whether somebody has answered what a suspended run waits for."""

from __future__ import annotations

from sympozium_controller.operator.stream import Story
from sympozium_protocol.messages.calls import Question
from sympozium_protocol.messages.console import Answer

AT = "2026-11-21T10:00:00Z"
ASKED = {"1-1": "a" * 64, "1-2": "b" * 64}


def asks(story: Story, call: str) -> None:
    question = Question(
        id=call, participant="shell", tool="execute_command", arguments={}, effect="write", digest=ASKED[call],
        reason="it writes", time=AT, expires=AT,
    )  # fmt: skip
    story.file(f"bridge/questions/shell/{call}.json", question.encode())


def answers(story: Story, call: str, digest: str = "") -> None:
    answer = Answer(participant="shell", id=call, digest=digest or ASKED[call], decision="allow", by="ada", time=AT)
    story.said(answer.encode())


def judges(story: Story, call: str) -> None:
    story.file(f"bridge/verdicts/shell/{call}.json", b"{}")


def of_two() -> Story:
    story = Story()
    asks(story, "1-1")
    asks(story, "1-2")
    return story


def test_a_run_that_asks_nothing_and_one_that_nobody_answers_go_on_waiting() -> None:
    assert not Story().answered
    assert not of_two().answered


def test_either_of_two_answers_lets_the_run_go_on() -> None:
    for call in ASKED:
        story = of_two()
        answers(story, call)
        assert story.answered
        assert set(story.open) == {f"shell/{one}" for one in ASKED} - {f"shell/{call}"}


def test_an_answer_that_a_gate_has_judged_lets_no_further_attempt_begin_while_another_is_awaited() -> None:
    story = of_two()
    answers(story, "1-2")
    judges(story, "1-2")
    assert not story.answered
    answers(story, "1-1")
    assert story.answered


def test_a_run_of_which_everything_is_judged_goes_on() -> None:
    story = of_two()
    judges(story, "1-1")
    judges(story, "1-2")
    assert story.answered
    assert not story.open


def test_an_answer_to_something_else_than_what_was_asked_is_none() -> None:
    story = of_two()
    answers(story, "1-1", digest="c" * 64)
    assert not story.answered
    assert set(story.open) == {f"shell/{call}" for call in ASKED}
