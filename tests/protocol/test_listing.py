"""Listed gives each name once, Numbered each file once and in order; ids are what their pattern says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings, strategies as st

from sympozium_protocol import ids
from sympozium_protocol.files import BadFile, open_root
from sympozium_protocol.listing import Listed, Numbered
from sympozium_protocol.messages import Call, InvalidDocument
from sympozium_protocol.messages.base import ID_PATTERN

HOUR = 3_600_000_000_000


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 30), max_size=5), max_size=8),
    st.lists(st.integers(-HOUR, HOUR), min_size=8, max_size=8),
)
def test_every_name_is_given_once_whatever_the_clock_says(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]], skews: list[int]
) -> None:
    import time

    with open_root(tmp_path_factory.mktemp("l")) as here:
        listed, given_out = Listed(here), []
        for batch, skew in zip(batches, skews, strict=False):
            for number in batch:
                here.mark(f"n{number}")
            given_out += listed.new(time.time_ns() + (skew if skew < 0 else 0))
        given_out += listed.new(0)
        written = {f"n{number}" for batch in batches for number in batch}
        assert sorted(given_out) == sorted(written)
        assert listed.new(0) == []


def test_a_name_that_arrives_right_after_a_listing_is_not_missed(tmp_path_factory: pytest.TempPathFactory) -> None:
    import time

    with open_root(tmp_path_factory.mktemp("l")) as here:
        listed = Listed(here)
        for number in range(300):
            here.mark(f"n{number}")
            now = time.time_ns()
            # on a coarse clock it may share the stamp of the name before, and is seen by the second look
            assert listed.new(now) + listed.new(now + Listed.GRAIN_NS + 1) == [f"n{number}"]


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(1, 12)), st.integers(0, 3))
def test_numbered_reads_up_to_the_first_gap(
    tmp_path_factory: pytest.TempPathFactory, numbers: set[int], after: int
) -> None:
    with open_root(tmp_path_factory.mktemp("n")) as here:
        for number in numbers:
            here.write(f"{number}.json", str(number).encode())
        expected = []
        while after + len(expected) + 1 in numbers:
            expected.append(after + len(expected) + 1)
        reader = Numbered(here, after)
        assert [(n, int(data)) for n, data in reader] == [(n, n) for n in expected]
        for number in range(1, 15):
            if number not in numbers:
                here.write(f"{number}.json", str(number).encode())
        assert [n for n, _ in reader] == list(range(after + len(expected) + 1, 15))


def test_numbered_does_not_go_past_a_bad_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("n")
    with open_root(path) as here:
        here.write("1.json", b"x")
        (path / "2.json").symlink_to("1.json")
        here.write("3.json", b"x")
        reader = Numbered(here)
        assert reader.next() == (1, b"x")
        for _ in range(2):
            with pytest.raises(BadFile):
                reader.next()


@given(st.text(max_size=70))
def test_an_id_is_what_the_pattern_says(text: str) -> None:
    expected = re.fullmatch(ID_PATTERN.removesuffix("$"), text, re.ASCII) is not None
    assert ids.is_id(text) == expected
    assert ids.id_of(f"{text}.json") == (text if expected else None)


@given(st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True))
def test_ids_and_their_names_go_both_ways(text: str) -> None:
    assert ids.id_of(f"{text}.json") == text
    assert Call.decode(Call(id=text, participant=text, tool="t").encode()).id == text


@given(st.integers(1, ids.MAX_NUMBER))
def test_numbers_and_their_names_go_both_ways(number: int) -> None:
    assert ids.number_of(f"{number}.json") == number
    assert ids.is_id(ids.tool_call_id(number, 7))
    assert ids.is_id(ids.model_call_id(number, 3))


@pytest.mark.parametrize(
    "name",
    ["0.json", "01.json", "1.JSON", "1.json.json", "1", "-1.json", "+1.json", "1000000000.json", "١.json", ".json", ""],
)
def test_other_names_are_no_numbers(name: str) -> None:
    assert ids.number_of(name) is None


@pytest.mark.parametrize("text", ["A", "a_b", "-a", "", "a" * 64, "a/b", "..", "a\n", "a\0", "é", "a.b"])
def test_what_is_no_id_is_refused_in_a_document_too(text: str) -> None:
    import json

    data = {"kind": "Call", "id": text, "participant": "p", "tool": "t"}
    with pytest.raises(InvalidDocument, match="id"):
        Call.decode(json.dumps(data).encode())
