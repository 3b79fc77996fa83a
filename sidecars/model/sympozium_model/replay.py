"""Replay: answers from a recorded run, for as long as the new run says what the recorded one did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sympozium_model.conversation import BadConversation, Conversation, Turn
from sympozium_model.provider import Failed, Request
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import FileFault
from sympozium_protocol.messages import AssistantMessage, Completion, Message, ModelSpec, SystemMessage, ToolsMessage
from sympozium_protocol.volumes import open_run

VOLATILE = frozenset({"time", "elapsed", "usage", "details", "reply", "call"})
"""What differs between two runs that say the same."""


@dataclass(slots=True)
class Replay:
    """The recorded conversation, compared message by message."""

    recorded: Conversation
    _compared: int = 0

    @classmethod
    def of(cls, model: ModelSpec) -> Self:
        try:
            root = open_run(Path(model.recording))
            return cls(Conversation.open(root, model.participant))
        except FileFault as fault:
            raise Ended(Reason.MissingReference, f"{model.recording}: is no recorded run: {fault}") from None

    async def complete(self, request: Request) -> Completion:
        for turn in request.turns[self._compared :]:
            self._compare(turn)
            self._compared += 1
        seq = request.turns[-1].message.seq + 1
        found = self._recorded(seq)
        if found.completion is None:
            raise Failed("replay_diverged", f"message {seq}: the recorded run has no turn of the model here")
        return found.completion

    def _compare(self, turn: Turn) -> None:
        message = turn.message
        # prompts name the run, its directory and its time
        if isinstance(message, SystemMessage | ToolsMessage):
            return
        other = self._recorded(message.seq).message
        if what(message) != what(other):
            raise Failed("replay_diverged", f"message {message.seq}: {difference(message, other)}")

    def _recorded(self, seq: int) -> Turn:
        try:
            return self.recorded.view([(seq, seq)])[0]
        except BadConversation as fault:
            raise Failed("replay_diverged", f"message {seq}: the recorded run goes no further ({fault})") from None


def what(message: Message) -> dict[str, Any]:
    """What a message says, without what differs between two runs that say the same."""
    if isinstance(message, AssistantMessage):
        return {"role": message.role}  # it came from the recording
    return {key: value for key, value in message.model_dump(mode="json").items() if key not in VOLATILE}


def difference(new: Message, old: Message) -> str:
    """In short: the first field that differs."""
    left, right = what(new), what(old)
    name = next((key for key in left if left[key] != right.get(key)), "role")
    return f"{name} is {str(left.get(name))[:120]!r}, and was {str(right.get(name))[:120]!r} in the recorded run"
