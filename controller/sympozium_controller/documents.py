"""YAML texts with their file names to objects. Pure: who reads the files passes what stood in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from sympozium_controller.errors import InvalidObject, Origin, fault_of
from sympozium_controller.objects import (
    AgentRun,
    MCPServer,
    Object,
    PersonaPack,
    Secret,
    SkillPack,
    SympoziumInstance,
    SympoziumPolicy,
    SympoziumSchedule,
)
from sympozium_controller.weight import HEAVIEST, TOO_HEAVY, weight
from sympozium_controller.yamltext import BadYaml, documents

KINDS: Final[dict[str, type[Object]]] = {
    model.__name__: model
    for model in (
        SympoziumInstance,
        AgentRun,
        SkillPack,
        SympoziumPolicy,
        SympoziumSchedule,
        PersonaPack,
        MCPServer,
        Secret,
    )
}

DEEPEST: Final = 64
"""Levels of an object: what is made of it lies deeper, and is read by programs that stop at some 200."""
_SHOWN: Final = 8
"""Parts of a path that lead a person to what lies too deep."""

T = TypeVar("T", bound=Object)


@dataclass(frozen=True)
class Objects:
    """The objects of some files. One without a namespace belongs to whichever namespace asks for it."""

    found: dict[tuple[str, str, str], Object] = field(default_factory=dict)
    """By kind, namespace as written, and name."""
    origins: dict[tuple[str, str, str], Origin] = field(default_factory=dict)

    def all(self, model: type[T]) -> tuple[T, ...]:
        """Every object of one kind, in the order of the files."""
        return tuple(one for one in self.found.values() if isinstance(one, model))

    def get(self, model: type[T], name: str, namespace: str) -> T | None:
        """The object of that name which ``namespace`` sees: its own before one without a namespace."""
        for place in dict.fromkeys((namespace, "")):
            one = self.found.get((model.__name__, place, name))
            if isinstance(one, model):
                return one
        return None

    def origin(self, one: Object) -> Origin:
        """The file it stands in."""
        return self.origins.get(_key(one), Origin("built in"))

    def add(self, one: Object, origin: Origin) -> None:
        """Raises InvalidObject when it is there already."""
        key = _key(one)
        if key in self.found:
            raise InvalidObject(
                origin.file, origin.document, "metadata.name", f"{key[0]} {one.name} is also in {self.origins[key]}"
            )
        self.found[key] = one
        self.origins[key] = origin


def _key(one: Object) -> tuple[str, str, str]:
    return type(one).__name__, one.namespace, one.name


def parse(sources: Sequence[tuple[str, str | bytes]]) -> Objects:
    """All objects of the files, given as (name, text). Raises InvalidObject for the first fault."""
    objects = Objects()
    for file, text in sources:
        for origin, value in _documents(file, text):
            objects.add(read_object(value, origin), origin)
    return objects


def _documents(file: str, text: str | bytes) -> Iterator[tuple[Origin, Any]]:
    try:
        for number, value in documents(text):
            yield from ((Origin(file, number), one) for one in _members(value))
    except BadYaml as fault:
        raise InvalidObject(file, fault.document, fault.field, fault.why) from None


def _members(value: Any) -> Iterable[Any]:
    """``kubectl get -o yaml`` wraps several objects in a List."""
    if isinstance(value, dict) and value.get("kind") == "List" and isinstance(value.get("items"), list):
        items: list[Any] = value["items"]
        return items
    return [value]


def read_object(value: Any, origin: Origin) -> Object:
    """The object in plain values. Raises InvalidObject naming the field."""
    model = _model(value, origin)
    if _weight(value) > HEAVIEST:
        raise InvalidObject(origin.file, origin.document, "", TOO_HEAVY)
    if where := _too_deep(value):
        raise InvalidObject(origin.file, origin.document, where, f"nested too deeply: at most {DEEPEST} levels")
    try:
        # as JSON: strict about types, yet a list is a tuple there
        return model.model_validate_json(json.dumps(value), by_alias=True, by_name=False)
    except ValidationError as error:
        where, why = fault_of(error)
        raise InvalidObject(origin.file, origin.document, where, why) from None


def _weight(value: dict[str, Any]) -> int:
    """Without what the API server writes beside it."""
    metadata = value.get("metadata")
    if isinstance(metadata, dict):
        metadata = {name: one for name, one in metadata.items() if name != "managedFields"}
    return weight({**value, "metadata": metadata})


def _too_deep(value: Any) -> str:
    """Where the first value is that lies too deep; empty when none does. What no schema bounds can be of any depth."""
    left: list[tuple[Any, tuple[str, ...]]] = [(value, ())]
    while left:
        part, path = left.pop()
        if len(path) > DEEPEST:
            return ".".join(path[:_SHOWN])
        inner = part.items() if isinstance(part, dict) else enumerate(part)
        left += [(one, (*path, str(name))) for name, one in inner if isinstance(one, dict | list)]
    return ""


def _model(value: Any, origin: Origin) -> type[Object]:
    def bad(where: str, why: str) -> InvalidObject:
        return InvalidObject(origin.file, origin.document, where, why)

    if not isinstance(value, dict):
        raise bad("", "is no object: apiVersion, kind, metadata and spec are wanted")
    kind = value.get("kind")
    if not isinstance(kind, str) or not kind:
        raise bad("kind", "missing")
    if kind not in KINDS:
        raise bad("kind", f"unknown kind {kind[:80]!r}; known are {', '.join(sorted(KINDS))}")
    model = KINDS[kind]
    if value.get("apiVersion") != model.group:
        raise bad("apiVersion", f"must be {model.group} for a {kind}")
    return model
