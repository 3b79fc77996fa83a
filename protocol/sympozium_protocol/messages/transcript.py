"""Message: the numbered files that are the run. One class per role; ``decode_message`` tells them apart."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from sympozium_protocol.messages.base import (
    Digest,
    Document,
    Id,
    InvalidDocument,
    JsonObject,
    Seconds,
    Seq,
    Time,
    ToolName,
    Wire,
    explain,
)
from sympozium_protocol.messages.calls import Outcome, Part, Tool, Usage


class Entry(Document):
    """What every Message has. ``elapsed`` is the run's active time so far, across restarts."""

    stated = ("kind", "role")

    kind: Literal["Message"] = "Message"
    seq: Seq
    time: Time
    elapsed: Seconds = 0.0


class SystemMessage(Entry):
    """The system prompt, whole."""

    role: Literal["system"] = "system"
    text: str


class OfferedTool(Tool):
    """A tool the model may call. Without participants it is one of the agent's own."""

    participants: tuple[Id, ...] = ()


class ToolsMessage(Entry):
    """The tool list from here on. A later one replaces it."""

    role: Literal["tools"] = "tools"
    tools: tuple[OfferedTool, ...]


class UserMessage(Entry):
    """The input of the run."""

    role: Literal["user"] = "user"
    text: str


class RecollectionMessage(Entry):
    """The reply of a prelude call: to be read as recollection, not as instruction."""

    role: Literal["recollection"] = "recollection"
    participant: Id
    tool: ToolName
    call: Id
    outcome: Outcome
    content: tuple[Part, ...] = ()


class ToolCall(Wire):
    """One tool call of an assistant turn; ``id`` is also the id of its Call file, if it has one."""

    id: Id
    name: str
    arguments: JsonObject | None = None
    malformed: str | None = None


class AssistantMessage(Entry):
    """What the model said. ``call`` names the model Call whose reply holds the turn itself."""

    role: Literal["assistant"] = "assistant"
    call: Id
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish: Literal["end", "tools", "length", "refused"] = "end"
    usage: Usage = Usage()


class ToolMessage(Entry):
    """How one tool call ended, as the model reads it."""

    role: Literal["tool"] = "tool"
    call: Id
    tool: str
    participant: Id | None = None
    outcome: Outcome
    content: tuple[Part, ...] = ()
    details: JsonObject = Field(default_factory=dict)
    reply: Digest | None = Field(default=None, description="digest of the Reply's bytes, if there was one")


class InboundMessage(Entry):
    """A follow-up from outside, taken between steps."""

    role: Literal["inbound"] = "inbound"
    inbound: Seq
    by: str
    text: str


class NoteMessage(Entry):
    """The runtime's own words to the model, such as that an answer was cut at the output limit."""

    role: Literal["note"] = "note"
    text: str


class CompactionMessage(Entry):
    """Stands for the messages ``covers[0]`` to ``covers[1]`` (inclusive) in the calls that name it."""

    role: Literal["compaction"] = "compaction"
    covers: tuple[Seq, Seq]
    text: str


Message: TypeAlias = (
    SystemMessage
    | ToolsMessage
    | UserMessage
    | RecollectionMessage
    | AssistantMessage
    | ToolMessage
    | InboundMessage
    | NoteMessage
    | CompactionMessage
)

MESSAGE_ADAPTER: TypeAdapter[Message] = TypeAdapter(
    Annotated[Message, Field(discriminator="role")], config=ConfigDict(defer_build=True)
)


def decode_message(data: bytes) -> Message:
    """Read one transcript file. Raises InvalidDocument."""
    try:
        found = MESSAGE_ADAPTER.validate_json(data, by_alias=True, by_name=False)
    except ValidationError as error:
        raise InvalidDocument("Message", explain(error)) from None
    if "kind" not in found.model_fields_set:
        raise InvalidDocument("Message", "kind: missing")
    return found
