"""The pure parts: shares of a manifest, forms with defaults, lists in pages, and the bucket that slows floods."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, cast

import pytest
from hypothesis import given, strategies as st

from sympozium_mcp.asking import defaults
from sympozium_mcp.content import Answer
from sympozium_mcp.items import Found, items, shares, within
from sympozium_mcp.listing import MOST_ITEMS, MOST_PAGES, every_page
from sympozium_mcp.secrets import Redactor
from sympozium_mcp.wire import Meter
from sympozium_protocol.messages import Call, TextPart
from sympozium_protocol.messages.servers import ServerSpec
from sympozium_protocol.participant import Context, Result


@given(st.lists(st.integers(min_value=0, max_value=10_000), max_size=8))
def test_who_wants_no_more_than_an_equal_share_gets_all_of_it_whatever_others_want(sizes: list[int]) -> None:
    granted = shares(sizes, 1000)
    assert sum(granted) <= 1000
    assert all(0 <= given <= size for given, size in zip(granted, sizes, strict=True))
    assert all(given == size for given, size in zip(granted, sizes, strict=True) if size <= 1000 // max(1, len(sizes)))


def test_what_the_modest_leave_goes_to_the_others() -> None:
    assert shares([100, 2000, 5000], 1000) == [100, 450, 450]


async def never(_: Any, __: Call, ___: Context) -> Result:
    raise AssertionError


def found(name: str, schema: dict[str, Any] | None = None, description: str = "") -> Found:
    return Found(name, description, schema or {"type": "object"}, never)


SERVER = ServerSpec(name="s", prefix="s_", transport="http", url="http://x/")


def test_a_tool_that_the_server_lists_goes_before_ours_of_the_same_name() -> None:
    offered, _ = items(SERVER, [found("list_prompts", description="theirs"), found("list_prompts")], Redactor())
    assert [(item.tool.name, item.tool.description) for item in offered] == [("s_list_prompts", "theirs")]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array"},
        {"properties": {}},
        {"type": "object", "properties": {"a": {"type": 7}}},
        {"type": "object", "properties": {"a": {"default": float("nan")}}},
        {"type": "object", "$ref": "file:///etc/passwd"},
    ],
)
def test_a_schema_that_would_spoil_a_request_to_the_model_is_left_out(schema: dict[str, Any]) -> None:
    offered, refused = items(SERVER, [found("bad", schema), found("good")], Redactor())
    assert [item.tool.name for item in offered] == ["s_good"]
    assert list(refused) == ["bad"]


def test_secrets_are_taken_out_of_what_a_server_says_of_its_tools() -> None:
    redactor = Redactor()
    redactor.add("hunter2!")
    offered, _ = items(SERVER, [found("x", {"type": "object", "title": "hunter2!"}, "is hunter2!")], redactor)
    assert "hunter2!" not in str(offered)


def test_a_description_without_end_is_cut() -> None:
    offered, _ = items(SERVER, [found("x", description="d" * 100_000)], Redactor())
    assert len(offered[0].tool.description) == 16 << 10


def test_as_many_tools_are_kept_as_there_is_room_for() -> None:
    offered, _ = items(SERVER, [found(f"t{n}") for n in range(10)], Redactor())
    assert within(offered, sum(item.size for item in offered[:4])) == offered[:4]


@pytest.mark.parametrize(
    ("schema", "form"),
    [
        ({"properties": {"a": {"default": 1}, "b": {}}, "required": ["a"]}, {"a": 1}),
        ({"properties": {"a": {"default": False}, "b": {"default": ["x"]}}}, {"a": False, "b": ["x"]}),
        ({"properties": {"a": {"type": "string"}}}, {}),
        ({"properties": {"a": {"type": "string"}}, "required": ["a"]}, None),
        ({"required": ["a"]}, None),
        ({"properties": "none", "required": "a"}, None),
        ({}, {}),
    ],
)
def test_a_form_is_filled_in_only_when_every_required_field_has_a_default(
    schema: dict[str, Any], form: dict[str, Any] | None
) -> None:
    assert defaults(schema) == form


@dataclass
class Page:
    items: list[int]
    next_cursor: str | None


def read(pages: dict[str | None, Page]) -> tuple[tuple[int, ...], int]:
    """What is read of these pages, and how many were fetched."""
    fetched = 0

    async def fetch(cursor: str | None) -> Page:
        nonlocal fetched
        fetched += 1
        return pages[cursor]

    return asyncio.run(every_page(fetch, lambda page: page.items, "numbers")), fetched


def test_pages_are_followed_to_the_last() -> None:
    assert read({None: Page([1], "a"), "a": Page([], "b"), "b": Page([2], None)}) == ((1, 2), 3)


def test_a_cursor_that_was_there_before_is_not_followed() -> None:
    assert read({None: Page([1], "a"), "a": Page([2], "b"), "b": Page([3], "a")}) == ((1, 2, 3), 3)


def test_pages_without_end_are_read_to_a_bound() -> None:
    pages: dict[str | None, Page] = {str(n): Page([n], str(n + 1)) for n in range(MOST_PAGES + 9)}
    assert read({**pages, None: pages["0"]})[1] == MOST_PAGES


def test_a_page_without_end_is_cut() -> None:
    assert len(read({None: Page(list(range(5000)), None)})[0]) == MOST_ITEMS


def test_what_comes_faster_than_its_rate_waits_and_what_comes_slower_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, slept = 100.0, []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("sympozium_mcp.wire.time.monotonic", lambda: now)
    monkeypatch.setattr("sympozium_mcp.wire.asyncio.sleep", sleep)

    async def flow() -> None:
        nonlocal now
        meter = Meter(rate=10, burst=5)
        for _ in range(7):
            await meter.take()
        assert slept == [0.1, 0.2]
        now += 10
        await meter.take(100)
        assert slept == [0.1, 0.2], "more than the burst counts as the burst"

    asyncio.run(flow())


@pytest.mark.parametrize(
    ("texts", "value", "shown"),
    [
        (["42"], {"result": 42}, "42"),
        (["hello"], {"result": "hello"}, "hello"),
        (['{"a": 1}'], {"a": 1}, '{"a": 1}'),
        (["[1, 2]"], {"result": [1, 2]}, "[1, 2]"),
        (["a", "2"], {"result": ["a", 2]}, "a2"),
        (["42"], {"result": 43}, '42\n{"result": 43}'),
        (["42"], {"answer": 42}, '42\n{"answer": 42}'),
        (["done\n"], {"n": 1}, 'done\n{"n": 1}'),
        ([], {"result": []}, '{"result": []}'),
    ],
)
def test_structure_is_shown_only_when_the_text_does_not_say_it_and_then_on_a_line_of_its_own(
    texts: list[str], value: Any, shown: str
) -> None:
    answer = Answer(cast("Context", None), Redactor())  # nothing here becomes a blob
    for text in texts:
        answer.text(text)
    answer.structured(value)
    assert "".join(part.text for part in answer.parts if isinstance(part, TextPart)) == shown
    assert answer.details == {"structuredContent": value}
