"""A list and a watch are read as they come, however they are cut, and hold no more than is kept."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from sympozium_protocol.kube.nesting import DEEPEST, end_of, has_more_values
from sympozium_protocol.kube.streamed import lines, listed

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=5)


class Answer:
    """An answer that comes in pieces of these sizes, again and again."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self.data, self.sizes, self.count = data, sizes, 0

    async def read(self) -> bytes:
        size = self.sizes[self.count % len(self.sizes)]
        self.count += 1
        found, self.data = self.data[:size], self.data[size:]
        return found


def as_listed(data: bytes, sizes: list[int]) -> tuple[list[Any], dict[str, Any]]:
    return asyncio.run(listed(Answer(data, sizes).read, lambda one: one))


@given(st.lists(VALUES, max_size=4), VALUES, SIZES, st.booleans())
def test_a_list_is_what_it_is_however_it_is_cut(items: list[Any], other: Any, sizes: list[int], plain: bool) -> None:
    for whole in ({"n": 1, "items": items, "metadata": other}, {"metadata": other, "items": items, "n": 12}):
        data = json.dumps(whole, ensure_ascii=plain, indent=None if plain else 1).encode()
        found, rest = as_listed(data, sizes)
        assert found == items
        assert rest == {name: value for name, value in whole.items() if name != "items"}


def test_a_list_without_items_has_none() -> None:
    assert as_listed(b'{"items":null,"metadata":{}}\n', [7])[0] == []


@pytest.mark.parametrize("size", [100, 5000, 1 << 20])
def test_what_lies_too_deep_in_one_item_is_null_and_the_next_one_is_whole(size: int) -> None:
    text = '{"items":[' + '{"a":' * 9000 + '"]}"' + "}" * 9000 + ',{"b":"[{"}],"metadata":{}}'
    (deep, other), _ = as_listed(text.encode(), [size])
    depth = 0
    while isinstance(deep, dict):
        deep, depth = deep["a"], depth + 1
    assert (depth, deep, other) == (DEEPEST, None, {"b": "[{"})


@pytest.mark.parametrize("text", ["", "[]", '{"items":[1', '{"items":[{]}', '{"items":["a', '{"a":' + "[" * 9000])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        as_listed(text.encode(), [4096])


@given(st.binary(max_size=40), SIZES)
def test_lines_are_what_they_are_however_they_are_cut(data: bytes, sizes: list[int]) -> None:
    async def found() -> list[bytes]:
        return [line async for line in lines(Answer(data, sizes).read)]

    assert asyncio.run(found()) == io.BytesIO(data).readlines()


@given(VALUES)
def test_the_end_of_a_value_is_found_once_it_is_there(value: Any) -> None:
    data = json.dumps([value]).encode()
    assert end_of(data + b',"]') == len(data)
    assert not any(end_of(data[:length]) for length in range(len(data)))


def test_values_are_counted_outside_of_texts() -> None:
    assert has_more_values(b'{"a":[{},{},{}]}', 5)
    assert not has_more_values(b'{"a":[{},{},{}]}', 7)
    assert not has_more_values(json.dumps({"text": ',{["' * 1000}).encode(), 5)
