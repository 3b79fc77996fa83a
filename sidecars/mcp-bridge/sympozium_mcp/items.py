"""Which tools a server's are offered as: filtered, checked, bounded and named. Pure."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mcp import Client

from sympozium_mcp.naming import names
from sympozium_mcp.secrets import Redactor
from sympozium_protocol.messages.calls import Call, Tool
from sympozium_protocol.messages.servers import ServerSpec
from sympozium_protocol.participant.arguments import validator
from sympozium_protocol.participant.context import Context, Result

MOST_BYTES: Final = 512 << 10
"""Of all tools of all servers together: a manifest is one file of at most 1 MiB, and the agent's list of tools
another, which other participants are in as well."""
LONGEST_DESCRIPTION: Final = 16 << 10

Act = Callable[[Client, Call, Context], Awaitable[Result]]
"""Makes one call at a server that is connected."""


@dataclass(frozen=True, slots=True)
class Found:
    """A tool by the server's own name, and what makes a call of it."""

    own: str
    description: str
    parameters: dict[str, Any]
    act: Act
    why_not: str = ""
    """Why it cannot be called by us at all."""


@dataclass(frozen=True, slots=True)
class Item:
    """A tool as it is offered."""

    tool: Tool
    act: Act

    @property
    def size(self) -> int:
        """Bytes of it in a manifest."""
        return len(self.tool.model_dump_json(by_alias=True).encode())


def wanted(server: ServerSpec, own: str) -> bool:
    """Is the tool of this name one that the run allows?"""
    return own not in server.deny and (not server.allow or own in server.allow)


def items(server: ServerSpec, found: Sequence[Found], redactor: Redactor) -> tuple[tuple[Item, ...], dict[str, str]]:
    """What is offered of the tools that were ``found``; and why others are not, by their own names.

    Of two with one name the first counts: so the tools that a server lists go before those for its resources.
    """
    first = {each.own: each for each in reversed(found) if wanted(server, each.own)}
    refused = {own: why for own, each in first.items() if (why := each.why_not or _fault(each.parameters))}
    refused |= {own: "its name holds a secret" for own in first if redactor.text(own) != own}
    refused |= {own: "allow names it, and the server has none of this name" for own in server.allow if own not in first}
    usable = [each for each in found if first.get(each.own) is each and each.own not in refused]
    offered = names(server.prefix, [each.own for each in usable])
    refused |= {each.own: "its name is taken" for each in usable if each.own not in offered}
    return tuple(
        Item(
            Tool(
                name=offered[each.own],
                description=redactor.text(each.description)[:LONGEST_DESCRIPTION],
                parameters=redactor.json(each.parameters),
            ),
            each.act,
        )
        for each in usable
        if each.own in offered
    ), refused


def _fault(schema: dict[str, Any]) -> str:
    """Why a tool with these parameters would spoil the whole request to a model provider; empty when it would not."""
    if schema.get("type") != "object":
        return "its parameters are no object"
    try:
        json.dumps(schema, allow_nan=False)
        validator(schema)
    except ValueError as fault:
        return f"its parameters are no valid JSON Schema: {str(fault)[:200]}"
    return ""


def shares(sizes: Sequence[int], room: int = MOST_BYTES) -> list[int]:
    """What each of several may have of ``room``: its size where that is no more than an equal share, and an equal
    share of the rest otherwise. So a flood takes nothing from those that are modest."""
    granted = [0] * len(sizes)
    order = sorted(range(len(sizes)), key=lambda number: sizes[number])
    for place, number in enumerate(order):
        granted[number] = min(sizes[number], room // (len(order) - place))
        room -= granted[number]
    return granted


def within(found: Sequence[Item], room: int) -> tuple[Item, ...]:
    """As many of the first as ``room`` bytes hold."""
    kept: list[Item] = []
    for item in found:
        room -= item.size
        if room < 0:
            break
        kept.append(item)
    return tuple(kept)
