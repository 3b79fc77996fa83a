"""The words of a judgement: what is asked, and how it was not answered."""

from __future__ import annotations

from dataclasses import dataclass

from sympozium_protocol.messages.base import JsonObject


class Broken(Exception):
    """A promise that was not kept: what was expected, and what was seen instead."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(f"expected {expected}; saw {seen}")
        self.expected = expected
        self.seen = seen


@dataclass(frozen=True, slots=True)
class Ask:
    """A call to make: tool and arguments."""

    tool: str
    arguments: JsonObject
