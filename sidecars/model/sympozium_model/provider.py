"""The seam to the providers: one request, one completion; typed failures for everything else."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sympozium_model.conversation import Turn
from sympozium_protocol.messages import AskedTool, Completion, Failure, ModelSpec


class Failed(Exception):
    """A completion that could not be had. ``again``: another attempt may help, ``after`` seconds at the earliest."""

    def __init__(self, failure: Failure, words: str, *, again: bool = False, after: float = 0.0) -> None:
        super().__init__(words)
        self.failure: Failure = failure
        self.words = words
        self.again = again
        self.after = after


@dataclass(frozen=True, slots=True)
class Request:
    """What one completion is asked with. ``say`` takes the text as it comes."""

    turns: Sequence[Turn]
    max_output_tokens: int
    say: Callable[[str], None]


class Provider(Protocol):
    """One way to a model. Made once per life; ``complete`` may be called again after Failed."""

    async def complete(self, request: Request) -> Completion:
        """Raises Failed."""
        ...


def asked(name: str, arguments: str) -> AskedTool:
    """A tool call as the model wrote it; ``malformed`` keeps what is no JSON object."""
    try:
        found: Any = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return AskedTool(name=name, malformed=arguments)
    return (
        AskedTool(name=name, arguments=found) if isinstance(found, dict) else AskedTool(name=name, malformed=arguments)
    )


def make_provider(model: ModelSpec) -> Provider:
    """The provider of this run; imports its SDK and no other. Raises Ended (MissingKey)."""
    if model.provider in ("openai", "azure"):
        from sympozium_model.openai_chat import OpenAIChat

        return OpenAIChat.of(model)
    if model.provider in ("anthropic", "bedrock"):
        from sympozium_model.anthropic_messages import AnthropicMessages

        return AnthropicMessages.of(model)
    if model.provider == "replay":
        from sympozium_model.replay import Replay

        return Replay.of(model)
    from sympozium_model.scripted import Scripted

    return Scripted.of(model)
