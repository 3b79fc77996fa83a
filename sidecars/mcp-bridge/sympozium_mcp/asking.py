"""What a server asks of us during a call: a form is declined, or answered with the defaults of its schema."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp.client import ClientRequestContext
from mcp.client.session import ElicitationFnT
from pydantic import ValidationError

from sympozium_mcp.wire import Wire
from sympozium_protocol.messages.servers import ServerSpec


def defaults(schema: dict[str, Any]) -> dict[str, Any] | None:
    """The form of ``schema``, filled in with its defaults; None when a required field has none."""
    properties = schema.get("properties")
    fields = properties if isinstance(properties, dict) else {}
    found = {name: field["default"] for name, field in fields.items() if isinstance(field, dict) and "default" in field}
    required = schema.get("required", [])
    return found if isinstance(required, list) and all(name in found for name in required) else None


def elicitation(server: ServerSpec, wire: Wire) -> ElicitationFnT:
    """Answers the elicitations of one server as its spec says."""

    async def answer(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        content = None
        if server.elicitation == "defaults" and isinstance(params, types.ElicitRequestFormParams):
            content = defaults(params.requested_schema)
        if content is not None:
            try:
                found = types.ElicitResult(action="accept", content=content)
            except ValidationError:
                content = None  # a default that no form can hold
            else:
                return found
        wire.declined("elicitation/create", mode=params.mode)
        return types.ElicitResult(action="decline")

    return answer
