"""All that is wrong in documents, in words: each field by its path, what stands there, and what is expected."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from sympozium_cli import expectations
from sympozium_controller.documents import KINDS, read_object
from sympozium_controller.errors import InvalidObject, Origin
from sympozium_controller.objects import Secret
from sympozium_controller.yamltext import BadYaml, documents
from sympozium_protocol.exits import Ended, Reason

MOST: Final = 20
"""Faults of one document that are told: who has more has begun with the wrong file."""
WIDEST: Final = 60
"""Characters of a value that is shown."""


@dataclass(frozen=True, slots=True)
class Fault:
    """``field`` is a path, empty for the document itself; ``why`` is for a person."""

    origin: Origin
    field: str
    why: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.field, self.why)))


def ended(sources: Sequence[tuple[str, str | bytes]], first: InvalidObject) -> Ended:
    """What is wrong in these files, given as (name, text). ``first``: what reading them has come upon."""
    found = [fault for file, text in sources for fault in _of_file(file, text)]
    if not found:  # what is wrong lies between documents
        return first
    if len(found) == 1:
        (one,) = found
        return InvalidObject(one.origin.file, one.origin.document, one.field, one.why)
    return Ended(Reason.InvalidDocument, "\n".join(_lines(found)))


def _lines(found: Sequence[Fault]) -> Iterator[str]:
    for origin in dict.fromkeys(fault.origin for fault in found):
        own = [fault for fault in found if fault.origin == origin]
        yield f"{origin}: {len(own)} fields are wrong:" if len(own) > 1 else f"{origin}:"
        yield from (f"  {fault}" for fault in own[:MOST])
        if len(own) > MOST:
            yield f"  and {len(own) - MOST} more"


def _of_file(file: str, text: str | bytes) -> Iterator[Fault]:
    try:
        for number, value in documents(text):
            origin = Origin(file, number)
            for one in _members(value):
                yield from _of_document(one, origin)
    except BadYaml as fault:
        yield Fault(Origin(file, fault.document), fault.field, fault.why)


def _members(value: Any) -> Iterable[Any]:
    if isinstance(value, dict) and value.get("kind") == "List" and isinstance(value.get("items"), list):
        return list(value["items"])
    return [value]


def _of_document(value: Any, origin: Origin) -> Iterator[Fault]:
    try:
        read_object(value, origin)
    except InvalidObject as first:
        model = KINDS.get(str(value.get("kind"))) if isinstance(value, dict) else None
        if model is None or value.get("apiVersion") != model.group:
            yield Fault(origin, first.field, first.why)
            return
        try:
            model.model_validate_json(json.dumps(value), by_alias=True, by_name=False)
            yield Fault(origin, first.field, first.why)
        except ValidationError as error:
            for told in error.errors(include_url=False):
                why = expectations.told(told, model)
                shown = "" if model is Secret else _shown(told)  # nobody's key belongs on a terminal
                yield Fault(origin, ".".join(map(str, told["loc"])), f"{shown} {why}" if shown else why)


def _shown(told: Any) -> str:
    """The value, where it is one that the fault is about and a person takes in at a glance."""
    value = told["input"]
    if told["type"] in ("extra_forbidden", "missing") or isinstance(value, dict | list):
        return ""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
