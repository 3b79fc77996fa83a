"""Where each field of a YAML text stands: its line, by the path that errors name it with."""

from __future__ import annotations

from typing import Any


def lines_of(text: str) -> dict[str, int]:
    """The line, from 1, of each field by its path with dots. The text is one that could be read already."""
    import yaml

    node = yaml.compose(text, Loader=yaml.CSafeLoader)
    found: dict[str, int] = {}
    if node is not None:
        _Walk(found).go(node, "", node.start_mark.line + 1)
    return found


class _Walk:
    """Through the nodes. What an alias stands for is told where the alias stands."""

    def __init__(self, found: dict[str, int]) -> None:
        self.found = found
        self.seen: set[int] = set()

    def go(self, node: Any, path: str, line: int, *, elsewhere: bool = False) -> None:
        from yaml.nodes import MappingNode, SequenceNode

        if path:
            self.found[path] = line
        elsewhere = elsewhere or id(node) in self.seen
        self.seen.add(id(node))
        if isinstance(node, MappingNode):
            below = [(str(key.value), value, key) for key, value in node.value]
        elif isinstance(node, SequenceNode):
            below = [(str(number), value, value) for number, value in enumerate(node.value)]
        else:
            return
        for name, value, mark in below:
            start = line if elsewhere or id(mark) in self.seen else mark.start_mark.line + 1
            self.go(value, f"{path}.{name}" if path else name, start, elsewhere=elsewhere)
