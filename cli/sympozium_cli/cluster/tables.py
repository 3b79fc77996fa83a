"""Objects as people read them: the server's own table, or YAML and JSON as kubectl has them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sympozium_cli.terminal import one_line
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.resources import Resource

GAP: Final = "   "
WIDEST: Final = 200
"""Characters of one cell: a column is written by whoever may write the object."""


def rows_of(table: KubeObject, *, namespaces: bool, wide: bool) -> list[tuple[str, ...]]:
    """The rows of a Table of the API server, its head first. Columns of a lower rank are for ``wide``."""
    columns = [n for n, column in enumerate(table["columnDefinitions"]) if wide or not column.get("priority")]
    head = tuple(str(table["columnDefinitions"][n]["name"]).upper() for n in columns)
    found = [(("NAMESPACE", *head) if namespaces else head)]
    for row in table.get("rows") or ():
        cells = tuple(_cell(row["cells"][n]) for n in columns)
        found.append((str(row["object"]["metadata"].get("namespace", "")), *cells) if namespaces else cells)
    return found


def _cell(value: Any) -> str:
    return "<none>" if value in (None, "") else one_line(str(value), WIDEST)


def lines_of(rows: Sequence[tuple[str, ...]]) -> Iterable[str]:
    """Columns as wide as what is in them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def listed(items: Sequence[KubeObject]) -> KubeObject:
    """Several objects as one document."""
    return {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": list(items)}


def plain(one: KubeObject) -> KubeObject:
    """An object without what only the API server's own bookkeeping needs."""
    return {**one, "metadata": {name: value for name, value in one["metadata"].items() if name != "managedFields"}}


def full_name(resource: Resource, name: str) -> str:
    """As kubectl writes it: agentrun.sympozium.ai/NAME."""
    return f"{resource.kind.lower()}{f'.{resource.group}' if resource.group else ''}/{name}"


def as_json(value: object, *, ascii_only: bool) -> str:
    return json.dumps(value, indent=4, ensure_ascii=ascii_only)


def as_yaml(value: object, *, ascii_only: bool) -> str:
    """``ascii_only``: every other character is spelt out, for a terminal to have nothing to obey."""
    import yaml

    dumper: type[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(value, Dumper=_blocks(dumper), sort_keys=False, allow_unicode=not ascii_only, width=10_000))


def _blocks(dumper: type[Any]) -> type[Any]:
    """Text of several lines is written as such."""

    class Blocks(dumper):  # type: ignore[misc]
        def ignore_aliases(self, _: object) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Blocks.add_representer(str, text)
    return Blocks
