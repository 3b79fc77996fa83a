"""JSON Schemas of every document, generated from the models: what a program in another language checks against.

``python -m sympozium_protocol.schemas --write DIR`` writes one ``<Kind>.json`` per kind;
``--check DIR`` exits 1 and names each file that differs from the models.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from sympozium_protocol.messages import (
    Answer,
    Call,
    Cancel,
    Document,
    Durable,
    FollowUp,
    Inbound,
    Manifest,
    Question,
    Reply,
    RunResult,
    RunSpec,
    Script,
    Started,
    Termination,
    Verdict,
)
from sympozium_protocol.messages.base import JsonObject, Wire
from sympozium_protocol.messages.transcript import MESSAGE_ADAPTER

MODELS: Final[tuple[type[Wire], ...]] = (
    RunSpec,
    Manifest,
    Call,
    Verdict,
    Question,
    Started,
    Reply,
    RunResult,
    Termination,
    Durable,
    Answer,
    FollowUp,
    Cancel,
    Inbound,
    Script,
)
UNIONS: Final[dict[str, TypeAdapter[Any]]] = {"Message": MESSAGE_ADAPTER}


def schemas() -> dict[str, JsonObject]:
    """The schema of every kind, by kind."""
    found = {model.__name__: TypeAdapter(model).json_schema() for model in MODELS}
    found |= {kind: adapter.json_schema() for kind, adapter in UNIONS.items()}
    return {kind: _finish(kind, schema) for kind, schema in sorted(found.items())}


def _finish(kind: str, schema: JsonObject) -> JsonObject:
    require_stated(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:sympozium:v1:{kind}",
        **schema,
        "title": kind,
    }


def require_stated(schema: JsonObject) -> None:
    """Name as required what the models default in Python but demand in a file, wherever such a document stands."""
    stated = {model.__name__: model.stated for model in _documents(Document)}
    for part in (schema, *schema.get("$defs", {}).values()):
        _require(part, stated.get(part.get("title", ""), ()))
    for union in _unions(schema):
        for reference in union["mapping"].values():
            _require(schema["$defs"][reference.removeprefix("#/$defs/")], (union["propertyName"],))


def _require(part: JsonObject, names: tuple[str, ...]) -> None:
    required = dict.fromkeys((*names, *part.get("required", [])))
    if required:
        part["required"] = list(required)


def _unions(part: Any) -> Iterator[JsonObject]:
    """Every discriminator: which field tells the members of a union apart."""
    if isinstance(part, dict):
        if "propertyName" in part.get("discriminator", {}):
            yield part["discriminator"]
        part = list(part.values())
    if isinstance(part, list):
        for deeper in part:
            yield from _unions(deeper)


def _documents(model: type[Document]) -> list[type[Document]]:
    return [model, *(deeper for below in model.__subclasses__() for deeper in _documents(below))]


def texts() -> dict[str, str]:
    """The text of every schema file, by file name; the same for the same models."""
    return {
        f"{kind}.json": json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        for kind, schema in schemas().items()
    }


def write(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    wanted = texts()
    for path in directory.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (directory / name).write_text(text, encoding="utf-8")


def differences(directory: Path) -> list[str]:
    """One sentence per file that is missing, out of date, or of no kind."""
    wanted = texts()
    there = {path.name for path in directory.glob("*.json")}
    found = [f"{directory / name}: is of no kind" for name in sorted(there - wanted.keys())]
    for name, text in wanted.items():
        if name not in there:
            found.append(f"{directory / name}: is missing")
        elif (directory / name).read_text(encoding="utf-8") != text:
            found.append(f"{directory / name}: differs from the models")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sympozium_protocol.schemas", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", metavar="DIR", type=Path, help="write the schemas there")
    what.add_argument("--check", metavar="DIR", type=Path, help="exit 1 when those there differ")
    options = parser.parse_args()
    if options.write:
        write(options.write)
        return 0
    found = differences(options.check)
    for sentence in found:
        print(sentence, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
