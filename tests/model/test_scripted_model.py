"""The scripted model as a function of the conversation, and the real program playing a script."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sympozium_model.conversation import Turn
from sympozium_model.provider import Failed, Request
from sympozium_model.scripted import Scripted
from sympozium_protocol.clock import utc
from sympozium_protocol.messages import (
    AssistantMessage,
    Completion,
    Message,
    ModelSpec,
    SystemMessage,
    TextPart,
    ToolMessage,
    UserMessage,
)
from tests.support.scratch import NOW

TIME = utc(NOW)
LOOK: dict[str, Any] = {"tool": "look", "arguments": {"at": "disk"}, "save": "seen"}


class Play:
    """A script being played against a conversation that grows."""

    def __init__(self, *steps: dict[str, Any]) -> None:
        self.model = ModelSpec(provider="scripted", model="m", script={"steps": list(steps)})
        self.scripted = Scripted.of(self.model)
        self.turns: list[Turn] = []
        self.said: list[str] = []
        self.add(SystemMessage(seq=1, time=TIME, text="careful"))
        self.add(UserMessage(seq=2, time=TIME, text="the input"))

    def add(self, message: Message) -> None:
        self.turns.append(Turn(message))

    def ask(self) -> Completion:
        return asyncio.run(self.scripted.complete(Request(self.turns, 100, self.said.append)))

    def step(self, result: str = "", outcome: Any = "ok", **details: Any) -> Completion:
        """One completion, taken into the conversation with a result for each of its calls."""
        found = self.ask()
        seq = len(self.turns) + 1
        self.add(AssistantMessage(seq=seq, time=TIME, call=f"m{seq}-1", text=found.text))
        for n, call in enumerate(found.tool_calls, 1):
            self.add(
                ToolMessage(
                    seq=len(self.turns) + 1,
                    time=TIME,
                    call=f"{seq}-{n}",
                    tool=call.name,
                    outcome=outcome,
                    content=(TextPart(text=result),),
                    details=details,
                )
            )
        return found


def test_results_are_quoted_whole_by_line_and_by_detail() -> None:
    play = Play(
        {"call": [LOOK]},
        {"say": "${seen}|${seen:2}|${seen:9}|${seen.exitCode}|${seen.outcome}|${input}|$${seen}"},
    )
    play.step("one\ntwo\n", outcome="error", exitCode=3)
    assert play.ask().text == "one\ntwo|two||3|error|the input|${seen}"


def test_quotes_are_filled_in_wherever_a_string_stands_in_the_arguments() -> None:
    play = Play(
        {"call": [LOOK]}, {"call": [{"tool": "look", "arguments": {"a": ["${seen}", {"b": "<${seen}>"}], "n": 1}}]}
    )
    play.step("x")
    [call] = play.ask().tool_calls
    assert call.arguments == {"a": ["x", {"b": "<x>"}], "n": 1}


def test_a_quote_of_what_was_never_saved_is_a_failure_that_names_it() -> None:
    with pytest.raises(Failed, match="nothing_such") as failed:
        Play({"say": "${nothing_such}"}).ask()
    assert failed.value.failure == "invalid_request"


def test_a_result_is_data_and_is_not_filled_in_again() -> None:
    play = Play({"call": [LOOK]}, {"say": "${seen}"})
    play.step("${input}")
    assert play.ask().text == "${input}"


def test_a_step_is_repeated_as_often_as_it_says_and_then_the_script_ends() -> None:
    play = Play({"call": [{"tool": "look"}], "repeat": 2}, {"say": "done"})
    assert [len(play.step().tool_calls) for _ in range(3)] == [1, 1, 0]
    with pytest.raises(Failed) as failed:
        play.ask()
    assert failed.value.failure == "script_ended"


def test_the_same_conversation_gives_the_same_turn_to_a_model_that_was_restarted() -> None:
    play = Play({"call": [LOOK]}, {"call": [LOOK], "repeat": 3}, {"say": "${seen}"})
    for n in range(4):
        play.step(str(n))
    again = play.ask()
    assert play.ask() == again
    play.scripted = Scripted.of(play.model)
    assert play.ask() == again
    assert again.text == "3"


def test_a_typed_failure_and_usage_are_played() -> None:
    play = Play({"say": "x", "usage": {"inputTokens": 11, "outputTokens": 3}}, {"failure": "quota", "say": "empty"})
    assert play.step().usage.input_tokens == 11
    with pytest.raises(Failed, match="empty") as failed:
        play.ask()
    assert failed.value.failure == "quota"


def test_arguments_that_are_no_json_are_played_as_they_stand() -> None:
    [call] = Play({"call": [{"tool": "look", "malformed": "{oops ${seen}"}]}).ask().tool_calls
    assert (call.arguments, call.malformed) == (None, "{oops ${seen}")


def test_a_step_reads_only_what_is_new() -> None:
    class Counted(list[Turn]):
        read = 0

        def __getitem__(self, at: Any) -> Any:
            found = super().__getitem__(at)
            Counted.read += len(found) if isinstance(at, slice) else 1
            return found

    play = Play({"call": [LOOK], "repeat": 300})
    play.turns = Counted(play.turns)
    for _ in range(300):
        play.step("x")
    assert Counted.read < 300 * 8


def test_the_scripted_model_loads_no_sdk() -> None:
    code = (
        "import sys, sympozium_model.program; from sympozium_model.provider import make_provider;"
        "from sympozium_protocol.messages import ModelSpec;"
        "make_provider(ModelSpec(provider='scripted', model='m', script={'steps': [{'say': 'x'}]}));"
        "print(sorted({'openai', 'anthropic', 'httpx2', 'boto3', 'yaml'} & set(sys.modules)))"
    )
    found = subprocess.run([Path(sys.executable), "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
