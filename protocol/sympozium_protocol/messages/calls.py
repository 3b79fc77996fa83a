"""The life of a call: Manifest, Call, Verdict, Question, Started, Reply."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import Field

from sympozium_protocol.messages.base import (
    Count,
    Digest,
    Document,
    Effect,
    Id,
    InvalidDocument,
    JsonObject,
    Seconds,
    Time,
    ToolName,
    Wire,
)

Outcome: TypeAlias = Literal["ok", "error", "denied", "timeout", "interrupted", "unavailable", "cancelled"]

Failure: TypeAlias = Literal[
    "authentication",
    "context_too_long",
    "content_refused",
    "quota",
    "rate_limited",
    "unavailable",
    "invalid_request",
    "invalid_answer",
    "budget",
    "script_ended",
    "replay_diverged",
]


class TextPart(Wire):
    type: Literal["text"] = "text"
    text: str


class BlobPart(Wire):
    """Content kept beside the message: ``blobs/<digest>`` in the directory of whoever wrote it."""

    type: Literal["blob"] = "blob"
    digest: Digest
    size: Count
    media_type: str = "application/octet-stream"
    note: str = Field(default="", description="what it is, in words the model can read")


Part: TypeAlias = Annotated[TextPart | BlobPart, Field(discriminator="type")]


class Tool(Wire):
    """A tool as its participant describes it to the model."""

    name: ToolName
    description: str = ""
    parameters: JsonObject = Field(
        default_factory=lambda: {"type": "object"}, description="JSON Schema of the arguments"
    )


class Manifest(Document):
    """What one life of a participant offers. The highest number holds."""

    stated: ClassVar[tuple[str, ...]] = ("kind", "protocol")

    kind: Literal["Manifest"] = "Manifest"
    protocol: Literal["v1"] = "v1"
    participant: Id
    tools: tuple[Tool, ...] = ()


class Call(Document):
    """One request to one participant. Its bytes never change; its digest is what a verdict covers."""

    kind: Literal["Call"] = "Call"
    id: Id
    participant: Id
    tool: ToolName
    arguments: JsonObject = Field(default_factory=dict)
    timeout: Seconds | None = Field(
        default=None, gt=0, description="seconds, counted from start; absent: the RunSpec's for this tool"
    )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """As any document; and no name twice, so that no two readers can find different calls in the same bytes."""
        found = super().decode(data)
        json.loads(data, object_pairs_hook=_named_once, parse_int=str, parse_float=str)
        return found


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidDocument("Call", "a name stands twice in the same object")
        found[name] = value
    return found


class Verdict(Document):
    """The gate's word on one Call: the participant acts only on bytes with this digest."""

    kind: Literal["Verdict"] = "Verdict"
    id: Id
    participant: Id
    decision: Literal["allow", "deny"]
    digest: Digest
    by: str = Field(description="a policy's name, a person's, or `gate`")
    reason: str = ""
    time: Time


class Question(Document):
    """A call that a person must answer for, as the gate read it."""

    kind: Literal["Question"] = "Question"
    id: Id
    participant: Id
    tool: ToolName
    arguments: JsonObject
    effect: Effect
    digest: Digest
    reason: str
    time: Time
    expires: Time


class Reservation(Wire):
    """The worst that a model call can cost, held until its reply settles it."""

    tokens: Count = 0
    usd: Seconds = 0.0


class Started(Document):
    """Written before any effect. ``process_group`` is what a restarted skill kills first."""

    kind: Literal["Started"] = "Started"
    id: Id
    digest: Digest
    process_group: int | None = Field(default=None, ge=2)
    process_start: int | None = Field(
        default=None, ge=0, description="start time of the group's leader in clock ticks since boot, proc(5) field 22"
    )
    boot_id: str | None = Field(default=None, description="the boot that process_start counts from")
    reservation: Reservation | None = None


class Usage(Wire):
    """Tokens and dollars. ``input_tokens`` includes those read from and written to the cache."""

    input_tokens: Count = 0
    output_tokens: Count = 0
    cached_input_tokens: Count = 0
    cache_write_tokens: Count = 0
    usd: Seconds = 0.0


class AskedTool(Wire):
    """A tool call as the model asked for it. Exactly what it wrote, when that is no JSON object."""

    name: str
    arguments: JsonObject | None = None
    malformed: str | None = Field(default=None, description="the argument text, when it is not a JSON object")


class Completion(Wire):
    """A model's turn. ``blocks`` is the provider's own form of it, opaque to all but the gateway."""

    text: str = ""
    tool_calls: tuple[AskedTool, ...] = ()
    finish: Literal["end", "tools", "length", "refused"] = "end"
    usage: Usage = Usage()
    blocks: tuple[JsonObject, ...] = ()


class Reply(Document):
    """The one answer to one Call."""

    kind: Literal["Reply"] = "Reply"
    id: Id
    digest: Digest = Field(description="of the Call that it answers")
    outcome: Outcome
    content: tuple[Part, ...] = ()
    details: JsonObject = Field(default_factory=dict, description="exit code, duration and the like")
    completion: Completion | None = Field(default=None, description="of a model call")
    failure: Failure | None = Field(default=None, description="of a model call: the typed word")
