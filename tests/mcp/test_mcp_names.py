"""The names of offered tools: valid, the same every time, and nobody else's."""

from __future__ import annotations

import re

from hypothesis import given, strategies as st

from sympozium_mcp.naming import names
from sympozium_protocol.messages.base import TOOL_PATTERN


def test_a_valid_name_is_kept_behind_its_prefix() -> None:
    assert names("docs_", ["search", "get-page"]) == {"search": "docs_search", "get-page": "docs_get-page"}


def test_characters_that_no_name_may_have_are_replaced() -> None:
    assert names("d_", ["a.b", "ünï"]) == {"a.b": "d_a_b", "ünï": "d__n_"}


def test_a_name_that_is_too_long_is_cut_and_told_apart_by_a_hash() -> None:
    found = names("d_", ["x" * 100 + "1", "x" * 100 + "2"])
    assert len(set(found.values())) == 2
    assert all(len(name) == 64 and name.startswith("d_xxx") for name in found.values())


def test_two_tools_that_would_have_one_name_both_carry_a_hash() -> None:
    found = names("d_", ["a.b", "a/b"])
    assert len(set(found.values())) == 2
    assert all(re.fullmatch(r"d_a_b_[0-9a-f]{8}", name) for name in found.values())


def test_a_tool_keeps_the_name_that_is_its_own_when_another_would_be_changed_into_it() -> None:
    found = names("d_", ["a.b", "a_b"])
    assert found["a_b"] == "d_a_b"
    assert found["a.b"] != "d_a_b"


def test_a_name_made_for_another_is_not_given_to_it() -> None:
    hashed = names("d_", ["a.b", "a/b"])["a.b"]
    own = hashed.removeprefix("d_")
    found = names("d_", ["a.b", "a/b", own])
    assert found[own] == hashed
    assert "a.b" not in found


def test_a_name_that_is_listed_twice_is_one_tool() -> None:
    assert names("d_", ["a", "a"]) == {"a": "d_a"}


@given(st.lists(st.text(max_size=90), max_size=12))
def test_names_are_valid_unique_and_within_their_prefix_whatever_a_server_calls_its_tools(own: list[str]) -> None:
    found = names("p_", own)
    assert all(re.fullmatch(TOOL_PATTERN, name) and name.startswith("p_") for name in found.values())
    assert len(set(found.values())) == len(found)
    assert found == names("p_", list(reversed(own)))
