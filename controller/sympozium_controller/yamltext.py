"""YAML text to plain values, with nothing in it that surprises: the documents of a file, bounded.

No merge keys, no tags, no dates, no key twice; text of at most MAX_TEXT, aliases that expand to at
most MAX_NODES values. Errors name the line.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node, ScalarNode

MAX_TEXT: Final = 1 << 20
"""Bytes of one file, as for every document of a run."""
MAX_NODES: Final = 100_000
MAX_DEPTH: Final = 64
SHALLOW: Final = 4096
"""Text this short cannot nest deeply enough to overflow the C stack of the library."""

_TAG: Final = "tag:yaml.org,2002:"


class BadYaml(ValueError):
    """Text that cannot be read. ``document`` counts from 1; ``field`` is a path, ``why`` names the line."""

    def __init__(self, document: int, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}" if field else why)
        self.document = document
        self.field = field
        self.why = why


def documents(source: str | bytes) -> Iterator[tuple[int, Any]]:
    """Each document of the text that is not empty, with its number. Raises BadYaml."""
    import yaml  # here: a run without files need not load it

    text = _text(source)
    loader = yaml.CSafeLoader(text)
    number = 1
    try:
        if len(text) > SHALLOW:
            _check_depth(text)
        while loader.check_node():
            node = loader.get_node()
            value = _Reader(loader, number).value(node, "", 0) if node else None
            if value is not None:
                yield number, value
            number += 1
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise BadYaml(number, "", f"{line}{error.problem or error.context or 'not YAML'}") from None
    except (yaml.YAMLError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error).replace("\n", " ")
        raise BadYaml(number, "", why) from None
    finally:
        loader.dispose()


def _text(source: str | bytes) -> str:
    data = source.encode(errors="surrogatepass") if isinstance(source, str) else source
    if len(data) > MAX_TEXT:
        raise BadYaml(1, "", f"is larger than {MAX_TEXT >> 20} MiB")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadYaml(1, "", f"line {line}: is not UTF-8") from None


def _check_depth(text: str) -> None:
    """The library composes nodes by recursion without a limit, but reports events without any."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise BadYaml(1, "", f"line {line}: nested too deeply")


class _Reader:
    """Reads one document's nodes, counting what it made."""

    def __init__(self, loader: Any, document: int) -> None:
        from yaml import nodes

        self.nodes = nodes
        self.loader = loader
        self.document = document
        self.made = 0

    def value(self, node: Node, path: str, depth: int) -> Any:
        self.made += 1
        if self.made > MAX_NODES or depth > MAX_DEPTH:
            raise self._bad(node, path, "too many values, or nested too deeply")
        if isinstance(node, self.nodes.MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, self.nodes.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.value(item, f"{path}.{n}", depth + 1) for n, item in enumerate(node.value)]
        if isinstance(node, self.nodes.ScalarNode):
            return self._scalar(node, path)
        raise self._bad(node, path, f"has the tag {node.tag}, which is not allowed")

    def _mapping(self, node: MappingNode, path: str, depth: int) -> dict[str, Any]:
        if node.tag != f"{_TAG}map":
            raise self._bad(node, path, f"has the tag {node.tag}, which is not allowed")
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, self.nodes.ScalarNode):
                raise self._bad(key, path, "has a key that is not text")
            where = f"{path}.{key.value}" if path else key.value
            if key.value in found:
                raise self._bad(key, where, "stands there twice")
            found[key.value] = self.value(value, where, depth + 1)
        return found

    def _scalar(self, node: ScalarNode, path: str) -> Any:
        kind = node.tag.removeprefix(_TAG)
        if "\0" in node.value:
            raise self._bad(node, path, "holds a NUL character")
        if kind in {"str", "timestamp", "value", "merge"}:  # a date is text: objects write times as text
            return node.value
        if kind in {"int", "float", "bool", "null"}:
            return self._number(node, path, kind)
        raise self._bad(node, path, f"has the tag {node.tag}, which is not allowed")

    def _number(self, node: ScalarNode, path: str, kind: str) -> Any:
        try:
            value = self.loader.construct_object(node)
        except ValueError:
            raise self._bad(node, path, f"is no {kind}") from None
        if kind == "float" and not isfinite(value):
            raise self._bad(node, path, "must be a finite number")
        return value

    def _bad(self, node: Node, path: str, why: str) -> BadYaml:
        return BadYaml(self.document, path.lstrip("."), f"{why} (line {node.start_mark.line + 1})")
