"""What comes next, as a pure function of the messages so far: the heart of the loop and of resume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sympozium_protocol.messages.spec import RunSpec
from sympozium_protocol.messages.transcript import (
    AssistantMessage,
    Message,
    RecollectionMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolsMessage,
    UserMessage,
)


@dataclass(frozen=True, slots=True)
class Begin:
    """Write the opening messages that are missing, from number ``seq``."""

    seq: int


@dataclass(frozen=True, slots=True)
class Recollect:
    """Make prelude call ``number`` (from 0), asked for by the input message ``asked_by``."""

    number: int
    asked_by: int


@dataclass(frozen=True, slots=True)
class AnswerTools:
    """Answer these tool calls of the last turn, side by side."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class AskModel:
    """Ask for the completion that becomes message ``seq``."""

    seq: int


@dataclass(frozen=True, slots=True)
class GoOn:
    """The turn was cut at the output limit: ask the model to go on."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The model gave its final answer."""

    answer: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The model would not answer."""

    text: str


Step: TypeAlias = Begin | Recollect | AnswerTools | AskModel | GoOn | Finish | Refused

OPENING = (SystemMessage, ToolsMessage, UserMessage)


def next_step(messages: Sequence[Message], spec: RunSpec) -> Step:
    """What to do after these messages. Same messages, same answer: a restarted agent goes on here."""
    if len(messages) < len(OPENING):
        return Begin(len(messages) + 1)
    recollected = sum(isinstance(m, RecollectionMessage) for m in messages[3 : 3 + len(spec.prelude)])
    if recollected < len(spec.prelude) and len(messages) == len(OPENING) + recollected:
        return Recollect(recollected, len(OPENING))
    turn = last_turn(messages)
    if turn is None:
        return AskModel(len(messages) + 1)
    if missing := unanswered(turn, messages):
        return AnswerTools(missing)
    if messages[-1] is not turn:
        return AskModel(len(messages) + 1)
    if turn.finish == "refused":
        return Refused(turn.text)
    return GoOn() if turn.finish == "length" else Finish(turn.text)


def last_turn(messages: Sequence[Message]) -> AssistantMessage | None:
    """The last thing that the model said."""
    return next((m for m in reversed(messages) if isinstance(m, AssistantMessage)), None)


def unanswered(turn: AssistantMessage, messages: Sequence[Message]) -> tuple[ToolCall, ...]:
    """The tool calls of ``turn`` that have no ToolMessage yet, in order."""
    answered = {m.call for m in messages[turn.seq :] if isinstance(m, ToolMessage)}
    return tuple(call for call in turn.tool_calls if call.id not in answered)
