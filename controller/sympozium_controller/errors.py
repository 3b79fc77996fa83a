"""Why a document, a pack or a flag is refused: always the file, the field and what is wrong there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from sympozium_protocol.exits import Ended, Reason

FLAGS: Final = "command line"
"""The ``file`` of what was said by flags."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an object came from: the file's name as it was given, and the document in it (from 1)."""

    file: str
    document: int = 1

    def __str__(self) -> str:
        return self.file if self.document == 1 else f"{self.file} (document {self.document})"


class Refused(Ended):
    """Ends a run before it began. Its message reads ``FILE: field: why``; ``reason`` is an exit code 10-19."""

    def __init__(self, reason: Reason, origin: Origin, field: str, why: str) -> None:
        # names from a file may hold control characters, which a terminal would obey
        said = ": ".join(part for part in (str(origin), field[:200], why) if part)
        super().__init__(reason, "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in said))
        self.origin = origin
        self.file = origin.file
        self.field = field
        self.why = why


class InvalidObject(Refused):
    """A document that is no object of ours; ``document`` counts from 1."""

    def __init__(self, file: str, document: int, field: str, why: str) -> None:
        super().__init__(Reason.InvalidDocument, Origin(file, document), field, why)
        self.document = document


class InvalidPack(Refused):
    """A skill pack that cannot be used."""

    def __init__(self, file: str, field: str, why: str) -> None:
        super().__init__(Reason.InvalidPack, Origin(file), field, why)


def fault_of(error: ValidationError) -> tuple[str, str]:
    """The field and the fault to mend first: an unknown field before what is missing because of it."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return where, "unknown field"
    if first["type"] == "missing":
        return where, "missing"
    return where, first["msg"].removeprefix("Value error, ")
