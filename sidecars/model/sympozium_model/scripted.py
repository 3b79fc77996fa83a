"""The scripted model: plays the script of the RunSpec, as a function of the conversation alone.

Its place in the script is the number of turns so far, so a restarted gateway and a second attempt
agree on what comes next. It needs no SDK, no network and no key.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import ValidationError

from sympozium_model.conversation import Turn
from sympozium_model.provider import Failed, Request
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages import (
    AskedTool,
    AssistantMessage,
    Completion,
    ModelSpec,
    Script,
    ScriptCall,
    ScriptStep,
    TextPart,
    ToolMessage,
    Usage,
    UserMessage,
)
from sympozium_protocol.messages.base import explain

QUOTE = re.compile(r"\$\$\{|\$\{([a-z0-9_]+)(?::([1-9][0-9]*)|\.([A-Za-z]+))?\}")
TOKEN = 4
"""Characters that are counted as a token, where a script does not say what a step used."""


@dataclass(slots=True)
class Scripted:
    """A script being played. What was read of the conversation is kept: a step costs the same at any length."""

    script: Script
    _starts: list[int] = field(default_factory=list)
    _read: int = 0
    _turn: int = 0
    _input: str = ""
    _names: dict[str, str] = field(default_factory=dict)
    _saved: dict[str, ToolMessage] = field(default_factory=dict)
    _position: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, model: ModelSpec) -> Self:
        if model.script is None:
            raise Ended(Reason.InvalidScript, "run/run.json: model.script: missing")
        try:
            return cls(Script.model_validate_json(json.dumps(model.script)))
        except ValidationError as error:
            raise Ended(Reason.InvalidScript, f"run/run.json: model.script: {explain(error)}") from None

    async def complete(self, request: Request) -> Completion:
        self._follow(request.turns)
        step = self._step()
        if step is None:
            raise Failed("script_ended", f"the script has no step after turn {self._turn}")
        await asyncio.sleep(step.delay)
        if step.failure is not None:
            raise Failed(step.failure, self._fill(step.say) or "the script says so")
        calls = tuple(self._asked(call) for call in step.call)
        text = self._fill(step.say)
        request.say(text)
        usage = step.usage or Usage(
            input_tokens=_size(request.turns[-3:]) // TOKEN + 1, output_tokens=len(text) // TOKEN + 1
        )
        return Completion(text=text, tool_calls=calls, finish="tools" if calls else "end", usage=usage)

    def _follow(self, turns: Sequence[Turn]) -> None:
        if len(turns) < self._read:
            raise Failed("invalid_request", "the scripted model cannot go back in the conversation")
        for turn in turns[self._read :]:
            self._take(turn)
        self._read = len(turns)

    def _take(self, turn: Turn) -> None:
        message = turn.message
        if isinstance(message, UserMessage):
            self._input = message.text
        elif isinstance(message, AssistantMessage):
            step = self._step()
            for number, call in enumerate(step.call if step else (), 1):
                self._names[f"{message.seq}-{number}"] = call.save
            self._turn += 1
            self._advance()
        elif isinstance(message, ToolMessage) and (name := self._names.pop(message.call, "")):
            self._saved[name] = message

    def _step(self) -> ScriptStep | None:
        index, _ = self._position
        return self.script.steps[index] if index < len(self.script.steps) else None

    def _advance(self) -> None:
        index, played = self._position
        step = self._step()
        if step is not None:
            self._position = (index, played + 1) if played + 1 < step.repeat else (index + 1, 0)

    def _asked(self, call: ScriptCall) -> AskedTool:
        if call.malformed is not None:
            return AskedTool(name=call.tool, malformed=call.malformed)
        return AskedTool(name=call.tool, arguments=self._fill_all(call.arguments))

    def _fill_all(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._fill(value)
        if isinstance(value, dict):
            return {key: self._fill_all(item) for key, item in value.items()}
        return [self._fill_all(item) for item in value] if isinstance(value, list) else value

    def _fill(self, text: str) -> str:
        return QUOTE.sub(self._quoted, text)

    def _quoted(self, found: re.Match[str]) -> str:
        name, line, field_name = found.groups()
        if name is None:
            return "${"
        if name == "input":
            return self._input
        message = self._saved.get(name)
        if message is None:
            raise Failed("invalid_request", f"the script quotes {found[0]}, but no result is saved as {name}")
        return quote(message, int(line) if line else 0, field_name or "")


def quote(message: ToolMessage, line: int, name: str) -> str:
    """A result's text, its n-th line (from 1; empty when there are fewer), or one of its details."""
    if name:
        return message.outcome if name == "outcome" else str(message.details.get(name, ""))
    text = "".join(part.text for part in message.content if isinstance(part, TextPart)).rstrip("\n")
    lines = text.splitlines()
    return text if not line else lines[line - 1] if line <= len(lines) else ""


def _size(turns: Sequence[Turn]) -> int:
    return sum(len(text) for turn in turns for text in _texts(turn))


def _texts(turn: Turn) -> Iterator[str]:
    yield getattr(turn.message, "text", "")
    for part in getattr(turn.message, "content", ()):
        yield getattr(part, "text", "")
