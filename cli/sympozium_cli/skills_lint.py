"""What is wrong with a pack in a directory, all of it at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sympozium_cli.packs import read_own
from sympozium_controller.errors import InvalidPack


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend. ``line`` counts from 1; 0: the whole file. An ``error`` is refused, or does harm."""

    level: Literal["error", "warning"]
    file: str
    line: int
    field: str
    what: str
    mend: str = ""


def lint_directory(directory: Path) -> list[Finding]:
    """Everything that is found, errors and warnings in the order of the files."""
    try:
        read_own(directory)
    except InvalidPack as fault:
        return [Finding("error", fault.file, 0, fault.field, fault.why)]
    return []
