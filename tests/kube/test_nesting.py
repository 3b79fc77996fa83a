"""What the API server lists is read however deep somebody nested it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from sympozium_protocol.kube.nesting import DEEPEST, cut, parse

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


def nested(levels: int, opens: str = '{"a":', closes: str = "}") -> str:
    return opens * levels + "1" + closes * levels


def depth_of(value: Any) -> int:
    found = 0
    while isinstance(value, dict | list):
        value = next(iter(value.values() if isinstance(value, dict) else value), None)
        found += 1
    return found


@pytest.mark.parametrize(("opens", "closes"), [('{"a":', "}"), ("[", "]")])
def test_what_lies_too_deep_is_null_and_what_lies_beside_it_is_whole(opens: str, closes: str) -> None:
    text = f'{{"items":[{nested(9000, opens, closes)},{{"name":"next [\\"{{"}}],"more":""}}'
    found = parse(text.encode())
    assert depth_of(found["items"][0]) == DEEPEST - 2
    assert found["items"][1:] == [{"name": 'next ["{'}]
    assert found["more"] == ""


@given(PLAIN)
def test_what_does_not_lie_too_deep_is_not_touched(value: Any) -> None:
    data = json.dumps(value).encode()
    assert cut(data) == data


def test_what_is_no_json_is_still_none() -> None:
    for text in (b"{" * 10, b"[" * 100_000, b"[" * 9000 + b'"'):
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            parse(text)
