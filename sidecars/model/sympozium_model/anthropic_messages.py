"""Anthropic's messages, through its SDK, at Anthropic itself or on Bedrock."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import anthropic
import httpx2

from sympozium_model import options, trouble
from sympozium_model.conversation import Turn, tools_in_force
from sympozium_model.provider import Failed, Request
from sympozium_model.wording import tool_answer, user_side
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages import AskedTool, Completion, ModelSpec, SystemMessage, ToolMessage, Usage

CACHED = {"cache_control": {"type": "ephemeral"}}
DEFAULT_OUTPUT = 8192
"""The protocol demands an output cap."""


@dataclass(slots=True)
class AnthropicMessages:
    """One client for the whole run."""

    client: Any
    model: ModelSpec

    @classmethod
    def of(cls, model: ModelSpec) -> Self:
        common = options.headers(model)
        if model.provider == "bedrock":
            _need_aws()
            region = str(model.options.get("region") or os.environ.get("AWS_REGION") or "us-east-1")
            return cls(anthropic.AsyncAnthropicBedrock(aws_region=region, **_base(model), **common), model)
        key = os.environ.get("ANTHROPIC_API_KEY") or ("none" if model.base_url else "")
        if not key:
            raise Ended(Reason.MissingKey, "environment: ANTHROPIC_API_KEY: no key")
        return cls(anthropic.AsyncAnthropic(api_key=key, **_base(model), **common), model)

    async def complete(self, request: Request) -> Completion:
        try:
            async with self.client.messages.stream(**self._body(request)) as stream:
                async for text in stream.text_stream:
                    request.say(text)
                message = await stream.get_final_message()
        except anthropic.APIStatusError as error:
            raise failed(error) from None
        # the SDK wraps what goes wrong before the first byte, not what does after it
        except (anthropic.APIError, httpx2.HTTPError) as error:
            raise trouble.broken(error) from None
        except (ValueError, AttributeError, TypeError, KeyError, AssertionError) as error:
            raise trouble.unreadable(error) from None
        return completion_of(message)

    def _body(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model.model,
            "max_tokens": request.max_output_tokens or DEFAULT_OUTPUT,
            "system": system_blocks(request.turns),
            "messages": chat_messages(request.turns),
        }
        if tools := tool_blocks(request.turns):
            body["tools"] = tools
        return {**body, "extra_body": options.passed_on(self.model, body)}


def _need_aws() -> None:
    """The variables, a profile or the machine's role: whatever boto3 finds will sign. Raises Ended (MissingKey)."""
    import boto3

    if not os.environ.get("AWS_BEARER_TOKEN_BEDROCK") and boto3.Session().get_credentials() is None:
        raise Ended(Reason.MissingKey, "environment: AWS_ACCESS_KEY_ID: no key")


def _base(model: ModelSpec) -> dict[str, Any]:
    return {"base_url": model.base_url} if model.base_url else {}


def completion_of(message: Any) -> Completion:
    """A finished message; its blocks are kept as they came (thinking carries a signature)."""
    if message.stop_reason is None:
        raise Failed("unavailable", "the model's stream ended before its answer did", again=True)
    blocks = tuple(block.model_dump(mode="json", exclude_none=True) for block in message.content)
    text = "".join(block.text for block in message.content if block.type == "text")
    calls = tuple(
        AskedTool(name=b.name, arguments=b.input)
        if isinstance(b.input, dict)
        else AskedTool(name=b.name, malformed=str(b.input))
        for b in message.content
        if b.type == "tool_use"
    )
    refused = message.stop_reason == "refusal"
    if not text.strip() and not calls and not refused:
        raise Failed("invalid_answer", "the model answered nothing", again=True)
    finish = "refused" if refused else "tools" if calls else "length" if message.stop_reason == "max_tokens" else "end"
    return Completion(text=text, tool_calls=calls, finish=finish, usage=_usage(message.usage), blocks=blocks)  # type: ignore[arg-type]


def _usage(found: Any) -> Usage:
    read, written = found.cache_read_input_tokens or 0, found.cache_creation_input_tokens or 0
    return Usage(
        input_tokens=found.input_tokens + read + written,
        output_tokens=found.output_tokens,
        cached_input_tokens=read,
        cache_write_tokens=written,
    )


def system_blocks(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    texts = [t.message.text for t in turns if isinstance(t.message, SystemMessage)]
    return [{"type": "text", "text": text, **(CACHED if n == len(texts) else {})} for n, text in enumerate(texts, 1)]


def tool_blocks(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    tools = tools_in_force(turns)
    found = [
        {"name": t.name, "description": t.description, "input_schema": t.parameters}
        for t in (tools.tools if tools else ())
    ]
    return [*found[:-1], {**found[-1], **CACHED}] if found else []


def chat_messages(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """The conversation in the provider's form: roles alternate, so neighbours of one side are one message."""
    found: list[dict[str, Any]] = []
    ids: dict[str, str] = {}
    for turn in turns:
        if turn.completion is not None:
            blocks, own = _assistant(turn)
            ids.update(own)
            _add(found, "assistant", blocks)
        elif isinstance(turn.message, ToolMessage):
            block = {
                "type": "tool_result",
                "tool_use_id": ids.get(turn.message.call, turn.message.call),
                "content": tool_answer(turn.message),
                **({} if turn.message.outcome == "ok" else {"is_error": True}),
            }
            _add(found, "user", [block])
        elif (text := user_side(turn.message)) is not None:
            _add(found, "user", [{"type": "text", "text": text}])
    if found:
        # the mark moves with the conversation: the provider finds the longest marked prefix that it has
        last = found[-1]["content"]
        last[-1] = {**last[-1], **CACHED}
    return found


def _assistant(turn: Turn) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The turn's own blocks, and the provider's id for each of our call ids."""
    assert turn.completion is not None
    # the provider sends text blocks that are empty, and refuses them when they come back
    blocks = [dict(b) for b in turn.completion.blocks if b.get("type") != "text" or str(b.get("text", "")).strip()]
    if not blocks:
        blocks = [{"type": "text", "text": turn.completion.text or "(nothing)"}]
        blocks += [
            {"type": "tool_use", "id": f"{turn.message.seq}-{n}", "name": call.name, "input": call.arguments or {}}
            for n, call in enumerate(turn.completion.tool_calls, 1)
        ]
    used = [block for block in blocks if block.get("type") == "tool_use"]
    return blocks, {f"{turn.message.seq}-{n}": str(block["id"]) for n, block in enumerate(used, 1)}


def _add(found: list[dict[str, Any]], role: str, blocks: list[dict[str, Any]]) -> None:
    if found and found[-1]["role"] == role:
        found[-1]["content"].extend(blocks)
    else:
        found.append({"role": role, "content": blocks})


def failed(error: anthropic.APIStatusError) -> Failed:
    """The typed word for an HTTP error, or for one within a stream."""
    body = error.body if isinstance(error.body, dict) else {}
    inner = body.get("error")
    kind = str(inner.get("type", "")) if isinstance(inner, dict) else ""
    words, after = trouble.said(error.status_code, kind), trouble.retry_after(error.response.headers)
    text = str(error).lower()
    if kind == "overloaded_error" or error.status_code >= 500:
        return Failed("unavailable", words, again=True, after=after)
    if kind == "rate_limit_error" or error.status_code == 429:
        return Failed("rate_limited", words, again=True, after=after)
    if error.status_code in (401, 403):
        return Failed("authentication", words)
    if error.status_code == 413 or "prompt is too long" in text:
        return Failed("context_too_long", words)
    if "credit balance" in text:
        return Failed("quota", words)
    if "content filtering" in text:
        return Failed("content_refused", words)
    return Failed("invalid_request", words)
