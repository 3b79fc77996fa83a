"""The provider's options as the RunSpec states them: what is passed on, and what the gateway keeps to itself."""

from __future__ import annotations

from typing import Any

from sympozium_protocol.messages import JsonObject, ModelSpec

OURS = frozenset({"headers", "apiVersion", "region"})
"""Read by the gateway; no part of a request's body."""

CAPS = frozenset({"max_tokens", "max_completion_tokens", "n"})
"""Would let an answer be larger than what the budget reserved for it."""


def passed_on(model: ModelSpec, body: JsonObject) -> JsonObject:
    """What goes into the request beside ``body``, which wins. The SDK takes names that it does not know this way."""
    return {k: v for k, v in model.options.items() if k not in OURS | CAPS and k not in body}


def headers(model: ModelSpec) -> dict[str, Any]:
    """Arguments of an SDK's client: no retries of its own, and the RunSpec's headers."""
    found = model.options.get("headers")
    return {"max_retries": 0, "default_headers": found if isinstance(found, dict) else None}
