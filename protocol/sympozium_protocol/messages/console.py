"""What a person says to a running agent, and what of it reaches the agent."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from sympozium_protocol.messages.base import Digest, Document, Id, InvalidDocument, Seq, Time, explain


class Answer(Document):
    """A person's answer to a Question. It holds for the digest alone."""

    kind: Literal["Answer"] = "Answer"
    participant: Id
    id: Id
    digest: Digest
    decision: Literal["allow", "deny"]
    reason: str = Field(default="", max_length=4096)
    by: str = Field(max_length=253)
    time: Time


class FollowUp(Document):
    """A further message to the running agent."""

    kind: Literal["FollowUp"] = "FollowUp"
    text: str = Field(min_length=1, max_length=256 * 1024)
    by: str = Field(max_length=253)
    time: Time


class Cancel(Document):
    """End the run."""

    kind: Literal["Cancel"] = "Cancel"
    reason: str = Field(default="", max_length=4096)
    by: str = Field(max_length=253)
    time: Time


class Inbound(Document):
    """What the gate hands to the agent: a follow-up, or the word to stop."""

    kind: Literal["Inbound"] = "Inbound"
    seq: Seq
    type: Literal["message", "cancel"]
    text: str = ""
    by: str
    time: Time
    source: str = Field(default="", description="where it came from: console/<n>, or bus/<sequence of the stream>")


ConsoleDocument: TypeAlias = Answer | FollowUp | Cancel

CONSOLE_ADAPTER: TypeAdapter[ConsoleDocument] = TypeAdapter(
    Annotated[ConsoleDocument, Field(discriminator="kind")], config=ConfigDict(defer_build=True)
)


def decode_console(data: bytes) -> ConsoleDocument:
    """Read one console file. Raises InvalidDocument."""
    try:
        return CONSOLE_ADAPTER.validate_json(data, by_alias=True, by_name=False)
    except ValidationError as error:
        raise InvalidDocument("console document", explain(error)) from None
