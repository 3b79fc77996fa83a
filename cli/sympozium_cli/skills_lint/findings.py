"""A finding, and the file that findings are of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend. ``line`` counts from 1; 0: the whole file."""

    level: Level
    file: str
    line: int
    field: str
    what: str
    mend: str = ""


@dataclass(slots=True)
class Findings:
    """Those of one file. ``lines``: where each field stands, by its path with dots."""

    file: str
    lines: Mapping[str, int] = field(default_factory=dict)
    found: list[Finding] = field(default_factory=list)

    def error(self, where: str, what: str, mend: str = "", *, line: int = 0) -> None:
        """``where``: a field's path, or nothing."""
        self._add("error", where, what, mend, line)

    def warning(self, where: str, what: str, mend: str = "", *, line: int = 0) -> None:
        """As ``error``."""
        self._add("warning", where, what, mend, line)

    def _add(self, level: Level, where: str, what: str, mend: str, line: int) -> None:
        finding = Finding(level, self.file, line or self._line(where), where, what, mend)
        if finding not in self.found:
            self.found.append(finding)

    def _line(self, where: str) -> int:
        """That of the field, or of what it would stand in."""
        while where:
            if where in self.lines:
                return self.lines[where]
            where = where.rpartition(".")[0]
        return 0

    def sorted(self) -> list[Finding]:
        """In the order of the file."""
        return sorted(self.found, key=lambda finding: finding.line)


def meant(word: str, known: Iterable[str]) -> str:
    """``did you mean …?``, if one of ``known`` is close to ``word``; else nothing."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f"did you mean {close[0]}?" if close else ""
