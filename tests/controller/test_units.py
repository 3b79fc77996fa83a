"""Durations and quantities are read as Go and Kubernetes read them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from sympozium_controller.objects.units import parse_duration, parse_quantity


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10m", 600), ("24h", 86400), ("1h30m", 5400), ("1.5h", 5400), ("300ms", 0.3), ("0", 0), (".5s", 0.5), ("0s", 0)],
)
def test_a_duration_is_so_many_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "-1s", "1 h", "1d", "1h-1m", 10, None, True, "٣s", "1s" * 40, "1h\n"])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1Gi", 1 << 30),
        ("500m", Fraction(1, 2)),
        ("2", 2),
        (3, 3),
        ("1k", 1000),
        ("1e3", 1000),
        ("1E", 10**18),
        ("1.5Ki", 1536),
    ],
)
def test_a_quantity_is_exact(text: object, value: Fraction) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize("text", ["", "-1", "1 Gi", "1gi", "1KI", "Gi", None, True, "1e999", "٣", [], "9" * 50])
def test_what_is_no_quantity_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="quantity"):
        parse_quantity(text)


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59))
def test_hours_minutes_and_seconds_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds


@given(st.integers(0, 10**9), st.sampled_from(["", "k", "M", "Ki", "Mi", "Gi"]))
def test_a_suffix_multiplies(number: int, suffix: str) -> None:
    assert parse_quantity(f"{number}{suffix}") == number * parse_quantity(f"1{suffix}")


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused_and_never_negative(text: str) -> None:
    for parse in (parse_duration, parse_quantity):
        try:
            assert parse(text) >= 0
        except ValueError as error:
            assert "must be a" in str(error)  # noqa: PT017  either way is right
