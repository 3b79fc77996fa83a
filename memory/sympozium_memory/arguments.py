"""Do the arguments of a call fit the schema of its tool? As JSON Schema has it, for the few words that ours use.

The general validator would be an eighth of this program's memory.
"""

from __future__ import annotations

from typing import Any, Final

_TYPES: Final[dict[str, tuple[type, str]]] = {
    "object": (dict, "an object"),
    "array": (list, "a list"),
    "string": (str, "a string"),
    "integer": (int, "a whole number"),
}


def fault_of(value: Any, schema: dict[str, Any], name: str = "") -> str | None:
    """The first fault, as ``field: what is wrong``; None when the value fits."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # as JSON Schema has it
    kind, words = _TYPES[schema["type"]]
    if not isinstance(value, kind) or isinstance(value, bool):
        return _told(name, f"is not {words}")
    match value:
        case dict():
            return _of_object(value, schema)
        case list():
            return _of_size(value, schema, name, "Items", "items") or _of_items(value, schema["items"], name)
        case str():
            return _of_size(value, schema, name, "Length", "characters")
    if not schema["minimum"] <= value <= schema["maximum"]:
        return _told(name, f"is not between {schema['minimum']} and {schema['maximum']}")
    return None


def _of_object(value: dict[str, Any], schema: dict[str, Any]) -> str | None:
    properties = schema["properties"]
    for name in schema.get("required", ()):
        if name not in value:
            return _told(name, "is missing")
    for name in value:
        if name not in properties:
            return f"there is no argument of that name: {name[:40]!r}; there are: {', '.join(properties)}"
    return next(filter(None, (fault_of(one, properties[name], name) for name, one in value.items())), None)


def _of_size(value: str | list[Any], schema: dict[str, Any], name: str, word: str, what: str) -> str | None:
    least, most = schema.get(f"min{word}", 0), schema.get(f"max{word}", len(value))
    if least <= len(value) <= most:
        return None
    return _told(name, f"has {len(value)} {what}; at least {least} and at most {most} are allowed")


def _of_items(value: list[Any], schema: dict[str, Any], name: str) -> str | None:
    faults = (fault_of(one, schema, f"{name}.{at}") for at, one in enumerate(value))
    return next(filter(None, faults), None)


def _told(name: str, what: str) -> str:
    return f"{name}: {what}" if name else what
