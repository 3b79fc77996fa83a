"""What a server lists, page by page and within bounds: tools, resources, templates, prompts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeVar

from sympozium_protocol.process import log

MOST_PAGES: Final = 200
"""Pages of a list: a cursor that never ends is not followed for ever."""
MOST_ITEMS: Final = 1000
"""Items of a list: more tools than any model is given, more resources than it can read about."""
LIST_WITHIN: Final = 30.0
"""Seconds for a whole list."""


class Page(Protocol):
    @property
    def next_cursor(self) -> str | None: ...


P = TypeVar("P", bound=Page)
T = TypeVar("T")


async def every_page(
    fetch: Callable[[str | None], Awaitable[P]], items: Callable[[P], Sequence[T]], what: str
) -> tuple[T, ...]:
    """All items of a list that comes in pages; ``what`` names it in the log. Raises TimeoutError and what ``fetch``
    raises."""
    found: list[T] = []
    cursor: str | None = None
    seen: set[str] = set()
    async with asyncio.timeout(LIST_WITHIN):
        for _ in range(MOST_PAGES):
            page = await fetch(cursor)
            found += items(page)
            cursor = page.next_cursor
            if cursor is None:
                return tuple(found[:MOST_ITEMS])
            if cursor in seen or len(found) > MOST_ITEMS:
                break
            seen.add(cursor)
    log("list cut", list=what, items=min(len(found), MOST_ITEMS))
    return tuple(found[:MOST_ITEMS])
