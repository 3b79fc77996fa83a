"""OpenAI's chat completions, through its SDK: OpenAI itself, Azure, and every server that speaks the same."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import openai

from sympozium_model import options, trouble
from sympozium_model.conversation import Turn, tools_in_force
from sympozium_model.provider import Failed, Request, asked
from sympozium_model.wording import tool_answer, user_side
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages import Completion, ModelSpec, SystemMessage, ToolMessage, Usage


@dataclass(slots=True)
class OpenAIChat:
    """One client for the whole run."""

    client: openai.AsyncOpenAI
    model: ModelSpec

    @classmethod
    def of(cls, model: ModelSpec) -> Self:
        common = options.headers(model)
        if model.provider == "azure":
            key = _key("AZURE_OPENAI_API_KEY")
            if not model.base_url:
                raise Ended(Reason.MissingReference, "run/run.json: model.baseURL: azure needs the resource's address")
            version = str(model.options.get("apiVersion", "2024-10-21"))
            client: openai.AsyncOpenAI = openai.AsyncAzureOpenAI(
                api_key=key, azure_endpoint=model.base_url, api_version=version, **common
            )
            return cls(client, model)
        # a local server wants no key, but the SDK does
        key = os.environ.get("OPENAI_API_KEY") or ("none" if model.base_url else _key("OPENAI_API_KEY"))
        return cls(openai.AsyncOpenAI(api_key=key, base_url=model.base_url or None, **common), model)

    async def complete(self, request: Request) -> Completion:
        try:
            return await self._stream(request)
        except openai.APIStatusError as error:
            raise failed(error) from None
        except openai.APIError as error:
            raise trouble.broken(error) from None
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            raise trouble.unreadable(error) from None

    async def _stream(self, request: Request) -> Completion:
        gathered = _Gathered()
        stream = await self.client.chat.completions.create(**self._body(request))
        async with stream:
            async for chunk in stream:
                gathered.add(chunk, request)
        return gathered.completion()

    def _body(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model.model,
            "messages": chat_messages(request.turns),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if tools := chat_tools(request.turns):
            body["tools"] = tools
        if request.max_output_tokens:
            # compatible servers know the older name only
            name = "max_tokens" if self.model.base_url else "max_completion_tokens"
            body[name] = request.max_output_tokens
        return {**body, "extra_body": options.passed_on(self.model, body)}


@dataclass(slots=True)
class _Gathered:
    """A stream, put together."""

    text: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    calls: dict[int, dict[str, str]] = field(default_factory=dict)
    finish: str = ""
    usage: Any = None

    def add(self, chunk: Any, request: Request) -> None:
        if getattr(chunk, "usage", None):
            self.usage = chunk.usage
        for choice in getattr(chunk, "choices", None) or ():
            self.finish = choice.finish_reason or self.finish
            if choice.delta is not None:
                self._delta(choice.delta, request)

    def _delta(self, delta: Any, request: Request) -> None:
        if delta.content:
            self.text.append(delta.content)
            request.say(delta.content)
        if getattr(delta, "refusal", None):
            self.refusal.append(delta.refusal)
        for position, part in enumerate(delta.tool_calls or ()):
            index = part.index if part.index is not None else position
            call = self.calls.setdefault(index, {"id": "", "name": "", "arguments": ""})
            call["id"] = call["id"] or part.id or ""
            if part.function is not None:
                call["name"] += part.function.name or ""
                call["arguments"] += part.function.arguments or ""

    def completion(self) -> Completion:
        if not self.finish:
            raise Failed("unavailable", "the model's stream ended before its answer did", again=True)
        text = "".join(self.text)
        calls = [self.calls[index] for index in sorted(self.calls)]
        if self.finish == "content_filter" or (self.refusal and not text):
            return Completion(text=text or "".join(self.refusal), finish="refused", usage=_usage(self.usage))
        if not text.strip() and not calls:
            raise Failed("invalid_answer", "the model answered nothing", again=True)
        return Completion(
            text=text,
            tool_calls=tuple(asked(call["name"], call["arguments"]) for call in calls),
            finish="tools" if calls else "length" if self.finish == "length" else "end",
            usage=_usage(self.usage),
            blocks=({"type": "openai", "calls": calls},),
        )


def _usage(found: Any) -> Usage:
    """Servers that do not count are charged by the estimate that was reserved."""
    if found is None:
        return Usage()
    details = getattr(found, "prompt_tokens_details", None)
    return Usage(
        input_tokens=found.prompt_tokens or 0,
        output_tokens=found.completion_tokens or 0,
        cached_input_tokens=(getattr(details, "cached_tokens", 0) or 0) if details else 0,
    )


def chat_messages(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """The conversation in the provider's form; deterministic, so that its prefix can be cached."""
    found: list[dict[str, Any]] = []
    for turn in turns:
        message = turn.message
        if isinstance(message, SystemMessage):
            found.append({"role": "system", "content": message.text})
        elif turn.completion is not None:
            found.append(_assistant(turn))
        elif isinstance(message, ToolMessage):
            found.append({"role": "tool", "tool_call_id": call_id(message.call), "content": tool_answer(message)})
        elif (text := user_side(message)) is not None:
            found.append({"role": "user", "content": text})
    return found


def _assistant(turn: Turn) -> dict[str, Any]:
    completion, message = turn.completion, turn.message
    assert completion is not None
    calls = [
        {
            "id": call_id(f"{message.seq}-{n}"),
            "type": "function",
            "function": {
                "name": call.name,
                "arguments": call.malformed
                if call.malformed is not None
                else json.dumps(call.arguments, ensure_ascii=False, separators=(",", ":")),
            },
        }
        for n, call in enumerate(completion.tool_calls, 1)
    ]
    return {"role": "assistant", "content": completion.text or None, **({"tool_calls": calls} if calls else {})}


def call_id(ours: str) -> str:
    return f"call_{ours.replace('-', '_')}"


def chat_tools(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    tools = tools_in_force(turns)
    return [
        {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.parameters}}
        for t in (tools.tools if tools else ())
    ]


def failed(error: openai.APIStatusError) -> Failed:
    """The typed word for an HTTP error."""
    code = str(getattr(error, "code", "") or "")
    words, after = trouble.said(error.status_code, code), trouble.retry_after(error.response.headers)
    match error.status_code:
        case 401 | 403:
            return Failed("authentication", words)
        case 429 if code == "insufficient_quota":
            return Failed("quota", words)
        case 429:
            return Failed("rate_limited", words, again=True, after=after)
        case 400 if code == "context_length_exceeded" or "context length" in str(error).lower():
            return Failed("context_too_long", words)
        case 400 if code == "content_filter":
            return Failed("content_refused", words)
        case 413:
            return Failed("context_too_long", words)
        case status if status >= 500 or status in (408, 409):
            return Failed("unavailable", words, again=True, after=after)
        case _:
            return Failed("invalid_request", words)


def _key(variable: str) -> str:
    key = os.environ.get(variable)
    if not key:
        raise Ended(Reason.MissingKey, f"environment: {variable}: no key")
    return key
