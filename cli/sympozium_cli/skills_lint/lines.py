"""Where each field of a YAML text stands: its line, by the path that errors name it with."""

from __future__ import annotations

from typing import Any


def lines_of(text: str) -> dict[str, int]:
    """The line, from 1, of each field by its path with dots. The text is one that could be read already."""
    import yaml

    node = yaml.compose(text, Loader=yaml.CSafeLoader)
    found: dict[str, int] = {}
    if node is not None:
        _walk(node, "", node.start_mark.line + 1, found)
    return found


def _walk(node: Any, path: str, line: int, found: dict[str, int]) -> None:
    """``line``: that of the key, for a value that stands elsewhere (an alias) is meant here."""
    from yaml.nodes import MappingNode, SequenceNode

    if path:
        found[path] = line
    if isinstance(node, MappingNode):
        for key, value in node.value:
            _walk(value, _below(path, str(key.value)), key.start_mark.line + 1, found)
    elif isinstance(node, SequenceNode):
        for number, value in enumerate(node.value):
            start = value.start_mark.line + 1
            _walk(value, _below(path, str(number)), max(start, line), found)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
