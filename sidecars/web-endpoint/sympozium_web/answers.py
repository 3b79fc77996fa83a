"""What /v1 answers with: the shapes of OpenAI's chat completions. Pure; times are seconds since the epoch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from sympozium_web.command import Finished

PIECE: Final = 400
"""Characters of an answer in one chunk."""


def models(names: Iterable[str], created: int) -> dict[str, Any]:
    return {"object": "list", "data": [model(name, created) for name in names]}


def model(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "sympozium"}


def completion(found: Finished, name: str, created: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": found.answer or "", "refusal": None}
    return {
        **_head(found.run, name, created, "chat.completion"),
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": usage(found),
    }


def usage(found: Finished) -> dict[str, int]:
    return {
        "prompt_tokens": found.input_tokens,
        "completion_tokens": found.output_tokens,
        "total_tokens": found.input_tokens + found.output_tokens,
    }


def chunks(found: Finished, name: str, created: int, *, with_usage: bool) -> Iterator[str]:
    """The data of the events that carry a whole answer."""
    head = _head(found.run, name, created, "chat.completion.chunk")
    yield _chunk(head, {"role": "assistant", "content": ""})
    text = found.answer or ""
    for start in range(0, len(text), PIECE):
        yield _chunk(head, {"content": text[start : start + PIECE]})
    yield _chunk(head, {}, "stop")
    if with_usage:
        yield json.dumps({**head, "choices": [], "usage": usage(found)})


def _head(run: str, name: str, created: int, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{run}", "object": kind, "created": created, "model": name}


def _chunk(head: dict[str, Any], delta: dict[str, str], finish: str | None = None) -> str:
    return json.dumps({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]})
