"""The conversation as the gateway reads it: messages of the transcript, each read once and kept.

Text, tool results and the tool list are the agent's. What the model said is not taken from the agent:
an assistant message only names the reply that holds the turn, and the gateway reads its own copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sympozium_protocol import layout
from sympozium_protocol.files import BadFile, Directory
from sympozium_protocol.ids import is_id
from sympozium_protocol.messages import (
    AssistantMessage,
    Completion,
    InvalidDocument,
    Message,
    Reply,
    ToolMessage,
    ToolsMessage,
    decode_message,
)


class BadConversation(ValueError):
    """The call names messages that cannot be used; in words, with the file."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message; ``completion`` is the gateway's own copy of what the model said."""

    message: Message
    completion: Completion | None = None


@dataclass(slots=True)
class Conversation:
    """Everything read so far. ``view`` gives what one call names."""

    transcript: Directory
    replies: Directory
    _turns: dict[int, Turn] = field(default_factory=dict)

    @classmethod
    def open(cls, root: Directory, participant: str) -> Conversation:
        return cls(root.open(layout.TRANSCRIPT), root.open(layout.replies(participant)))

    def view(self, ranges: Sequence[tuple[int, int]]) -> list[Turn]:
        """The turns of these inclusive ranges, in their order. Raises BadConversation."""
        return [self._turn(seq) for first, last in ranges for seq in range(first, last + 1)]

    def _turn(self, seq: int) -> Turn:
        if (known := self._turns.get(seq)) is not None:
            return known
        turn = self._read(seq)
        self._turns[seq] = turn
        return turn

    def _read(self, seq: int) -> Turn:
        name = f"{seq}.json"
        where = self.transcript.at(name)
        try:
            data = self.transcript.read(name)
            if data is None:
                raise BadConversation(f"{where} is not there")
            message = decode_message(data)
        except BadFile as fault:
            raise BadConversation(str(fault)) from None
        except InvalidDocument as fault:
            raise BadConversation(f"{where}: {fault.why}") from None
        if message.seq != seq:
            raise BadConversation(f"{where}: seq: is {message.seq}")
        if isinstance(message, AssistantMessage):
            return Turn(message, self._own(message, where))
        return Turn(message)

    def _own(self, message: AssistantMessage, where: str) -> Completion:
        try:
            data = self.replies.read(f"{message.call}.json") if is_id(message.call) else None
            completion = Reply.decode(data).completion if data is not None else None
        except (BadFile, InvalidDocument) as fault:
            raise BadConversation(f"{where}: call: the answer it names cannot be read: {fault}") from None
        if completion is None:
            raise BadConversation(f"{where}: call: this gateway gave no such answer")
        return completion


def ranges_of(arguments: dict[str, object]) -> list[tuple[int, int]]:
    """The ranges that a call names. Raises BadConversation."""
    found = arguments.get("ranges")
    if not isinstance(found, list) or not found:
        raise BadConversation("ranges: must be a list of [first, last]")
    pairs: list[tuple[int, int]] = []
    for pair in found:
        if not (isinstance(pair, list) and len(pair) == 2 and all(type(n) is int and n > 0 for n in pair)):
            raise BadConversation("ranges: must be a list of [first, last]")
        if pair[1] - pair[0] > 1_000_000:
            raise BadConversation("ranges: are too long")
        pairs.append((pair[0], pair[1]))
    return pairs


def tools_in_force(turns: Sequence[Turn]) -> ToolsMessage | None:
    """The last tool list among these."""
    return next((t.message for t in reversed(turns) if isinstance(t.message, ToolsMessage)), None)


def answers(turns: Sequence[Turn]) -> dict[str, ToolMessage]:
    """Tool messages by the id of their call."""
    return {t.message.call: t.message for t in turns if isinstance(t.message, ToolMessage)}
