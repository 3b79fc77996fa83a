"""What a field of an object is to be, in words, from what its schema says. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sympozium_controller.objects import Object
from sympozium_controller.objects.base import LABEL_PATTERN, NAME_PATTERN
from sympozium_controller.objects.units import DURATION_PATTERN, QUANTITY_PATTERN
from sympozium_protocol.messages.base import TOOL_PATTERN

_NAME: Final = "must be a name: small letters, digits, - and ., with a letter or digit at both ends"
_LABEL: Final = "must be a name of at most 63 small letters, digits and -, with a letter or digit at both ends"
PATTERNS: Final[Mapping[str, str]] = {
    NAME_PATTERN: _NAME,
    rf"^$|{NAME_PATTERN}": _NAME,
    LABEL_PATTERN: _LABEL,
    rf"^$|{LABEL_PATTERN}": _LABEL,
    DURATION_PATTERN: 'must be a duration such as "90s", "10m" or "1h30m"',
    QUANTITY_PATTERN: 'must be a quantity such as "1Gi", "512Mi" or "500m"',
    r"^$|^[A-Za-z_][A-Za-z0-9_-]{0,31}$": "must begin with a letter or _, and go on with at most 31 letters, digits, "
    "_ and -",
    TOOL_PATTERN: "must begin with a letter or _, and go on with at most 63 letters, digits, _ and -",
    r"^[A-Za-z0-9_][A-Za-z0-9._+-]*$": "must be the name of a program without a path: letters, digits, ., _, + and -",
}
"""The patterns of what people write."""
_TYPES: Final[Mapping[str, str]] = {
    "model_type": "must be an object with fields",
    "dict_type": "must be an object with fields",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "string_type": "must be text; put it in quotes",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "missing": "missing",
}
_BOUNDS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than_equal": ("must be {} or more", "ge"),
    "greater_than": ("must be more than {}", "gt"),
    "less_than_equal": ("must be {} or less", "le"),
    "less_than": ("must be less than {}", "lt"),
    "string_too_short": ("must have at least {} characters", "min_length"),
    "string_too_long": ("must have at most {} characters", "max_length"),
    "too_short": ("must have at least {} entries", "min_length"),
    "too_long": ("must have at most {} entries", "max_length"),
}


def told(fault: Any, model: type[Object]) -> str:
    """What is wrong, from one entry of ``ValidationError.errors()``."""
    kind, context = fault["type"], fault.get("ctx") or {}
    if kind == "extra_forbidden":
        return _unknown(str(fault["loc"][-1]), known_fields(model, fault["loc"][:-1]))
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(context["pattern"], f"must match {context['pattern']}")
    if kind == "literal_error":
        return f"must be {context['expected'].replace(chr(39), '')}"
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        return words.format(context[name])
    return _TYPES.get(kind) or str(fault["msg"]).removeprefix("Value error, ")


def _unknown(name: str, known: list[str]) -> str:
    if near := difflib.get_close_matches(name, known, n=1):
        return f"unknown field; is {near[0]} meant?"
    return f"unknown field; known are {', '.join(known)}" if known else "unknown field"


def known_fields(model: type[Object], path: tuple[int | str, ...]) -> list[str]:
    """The fields of what lies at ``path`` in such an object; none where that cannot be told."""
    schema = model.model_json_schema(by_alias=True)
    found = [schema]
    for part in path:
        found = [inner for one in found for inner in _inside(one, part, schema)]
    names = {name for one in found for whole in _resolved(one, schema) for name in whole.get("properties", {})}
    return sorted(names)


def _inside(one: Mapping[str, Any], part: int | str, schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for whole in _resolved(one, schema):
        inner = whole.get("items") if isinstance(part, int) else whole.get("properties", {}).get(part)
        inner = whole.get("additionalProperties") if inner is None else inner
        if isinstance(inner, dict):
            yield inner


def _resolved(one: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schemas that it stands for."""
    if name := str(one.get("$ref", "")).removeprefix("#/$defs/"):
        yield from _resolved(schema["$defs"][name], schema)
    elif choices := one.get("anyOf") or one.get("oneOf") or one.get("allOf"):
        for choice in choices:
            yield from _resolved(choice, schema)
    else:
        yield one
