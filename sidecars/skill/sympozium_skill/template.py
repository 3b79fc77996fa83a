"""A declared tool's argv and stdin, filled with a call's arguments. Pure; no shell has a part in it.

``{name}`` stands for an argument. An element that names an absent argument is left out. An element that
is exactly ``{name}`` becomes as many elements as a list has; elsewhere a list is joined by commas.

An argument must not become an option by surprise: where an element *begins* with a placeholder, a value
that begins with ``-`` is refused, unless ``--`` stands before it in the template, or the schema says
which values there are (``enum``, ``const``, or a ``pattern`` that begins with ``^``).
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from sympozium_protocol.messages.base import JsonObject

_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class BadArgument(ValueError):
    """An argument that cannot be put into the command; the text is for the model."""


def fault_of_template(argv: tuple[str, ...], stdin: str, parameters: JsonObject) -> str | None:
    """What is wrong with a template, as ``field: why``; None when nothing is."""
    if not argv[0] or _PLACEHOLDER.search(argv[0]):
        return "argv.0: must name a program, which no argument may choose"
    known = parameters.get("properties", {})
    for number, element in enumerate(argv):
        for name in _PLACEHOLDER.findall(element):
            if name not in known:
                return f"argv.{number}: {{{name}}} is none of the tool's parameters"
    for name in _PLACEHOLDER.findall(stdin):
        if name not in known:
            return f"stdin: {{{name}}} is none of the tool's parameters"
    return None


def fill_argv(argv: tuple[str, ...], parameters: JsonObject, arguments: JsonObject) -> list[str]:
    """The command of one call. Raises BadArgument."""
    filled = [argv[0]]
    closed = False
    for element in argv[1:]:
        closed = closed or element == "--"
        names = _PLACEHOLDER.findall(element)
        if any(arguments.get(name) is None for name in names):
            continue
        values = _fill(element, names, arguments)
        if not closed and element.startswith("{") and names and _PLACEHOLDER.match(element):
            _refuse_options(values, names[0], parameters)
        filled.extend(values)
    if any("\0" in value for value in filled):
        raise BadArgument("An argument holds a NUL character, which no command can be given.")
    return filled


def _fill(element: str, names: list[str], arguments: JsonObject) -> list[str]:
    if names and element == f"{{{names[0]}}}":
        value = arguments[names[0]]
        return [_text(one) for one in value] if isinstance(value, list) else [_text(value)]
    return [_PLACEHOLDER.sub(lambda found: _joined(arguments[found[1]]), element)]


def fill_stdin(stdin: str, arguments: JsonObject) -> bytes:
    """What the command reads; an absent argument leaves nothing in its place."""
    return _PLACEHOLDER.sub(lambda found: _text(arguments.get(found[1], "")), stdin).encode("utf-8", "surrogatepass")


def _joined(value: Any) -> str:
    return ",".join(_text(one) for one in value) if isinstance(value, list) else _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _refuse_options(values: list[str], name: str, parameters: JsonObject) -> None:
    if _says_which(parameters.get("properties", {}).get(name, {})):
        return
    for value in values:
        if value.startswith("-"):
            raise BadArgument(f"{name}: must not begin with '-': it would be taken for an option.")


def _says_which(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    if schema.get("type") == "array":
        return _says_which(schema.get("items"))
    return "enum" in schema or "const" in schema or str(schema.get("pattern", "")).startswith("^")
