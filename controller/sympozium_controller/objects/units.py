"""Durations ("1h30m") and quantities ("1Gi", "500m"), read as Go and Kubernetes read them."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)"
_DURATION_PART: Final = re.compile(_NUMBER + r"(ns|us|µs|ms|s|m|h)")
_SECONDS: Final = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}
_QUANTITY: Final = re.compile(r"\+?" + _NUMBER + r"(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,2}))?")
_SUFFIX: Final = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    **{letter: Fraction(1000**power) for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGTPE", start=1)},
}
_LONGEST: Final = 40
"""Characters of a duration or quantity: enough for any, too few to make reading one slow."""


def parse_duration(text: object) -> float:
    """Seconds of a duration such as ``10m``, ``1h30m`` or ``300ms``; never negative. Raises ValueError."""
    if text == "0":
        return 0.0
    if not isinstance(text, str) or len(text) > _LONGEST or not _fully(text):
        raise ValueError('must be a duration such as "90s", "10m" or "1h30m"')
    return float(sum(_fraction(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text)))


def _fully(text: str) -> bool:
    return re.fullmatch(f"(?:{_DURATION_PART.pattern})+", text, re.ASCII) is not None


def parse_quantity(value: object) -> Fraction:
    """A Kubernetes quantity, exactly; never negative. Raises ValueError."""
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    found = _QUANTITY.fullmatch(text) if isinstance(text, str) and len(text) <= _LONGEST else None
    if found is None or not found[0].isascii():
        raise ValueError('must be a quantity such as "1Gi", "512Mi" or "500m"')
    number, suffix, exponent = found.groups()
    return _fraction(number) * (_SUFFIX[suffix] if suffix else Fraction(10) ** int(exponent or 0))


def _fraction(number: str) -> Fraction:
    return Fraction(Decimal(number))


def _bytes(value: object) -> int:
    found = parse_quantity(value)
    return -(-found.numerator // found.denominator)  # Kubernetes rounds up as well


def _cores(value: object) -> float:
    return float(parse_quantity(value))


def duration_text(seconds: float) -> str:
    """How a person writes it: ``10m``, ``24h``, ``90s``, ``0.5s``. ``parse_duration`` reads it back."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


# re, Go's regexp and the one behind pydantic all read these
DURATION_PATTERN: Final = r"^(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+)$"
QUANTITY_PATTERN: Final = r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?$"
_DURATION_SCHEMA: Final[dict[str, object]] = {
    "type": "string",
    "format": "duration",
    "pattern": DURATION_PATTERN,
    "maxLength": _LONGEST,
}
_QUANTITY_SCHEMA: Final[dict[str, object]] = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "format": "quantity",
    "pattern": QUANTITY_PATTERN,
    "maxLength": _LONGEST,
}

Duration = Annotated[float, BeforeValidator(parse_duration), Field(ge=0), WithJsonSchema(_DURATION_SCHEMA)]
"""Seconds, written as "10m"."""
Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=0), WithJsonSchema(_QUANTITY_SCHEMA)]
"""Written as "1Gi"."""
Cores = Annotated[float, BeforeValidator(_cores), Field(ge=0), WithJsonSchema(_QUANTITY_SCHEMA)]
"""Written as "500m"."""
