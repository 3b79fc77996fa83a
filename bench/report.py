"""One row of the table: a figure, its floor of the same run, the target, and whether it is met."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """``target``: what the figure must not exceed, or with ``at_least`` not fall below; None for what is only
    told. All in ``unit``."""

    name: str
    figure: float
    unit: str
    target: float | None = None
    floor: float | None = None
    at_least: bool = False

    def text(self) -> str:
        return f"{self.name:58} {self.figure:10.2f} {self.unit:4} {self._floor()}  {self._target():17}".rstrip()

    def _floor(self) -> str:
        if self.floor is None:
            return " " * 18
        ratio = f"{self.figure / self.floor:6.1f}×" if self.floor else ""
        return f"{self.floor:10.2f} {ratio:7}"

    def _target(self) -> str:
        if self.target is None:
            return ""
        met = self.figure >= self.target if self.at_least else self.figure <= self.target
        limit = f"{'≥' if self.at_least else '≤'} {self.target:g}"
        return f"{limit:12} {'met' if met else 'MISSED'}"


HEAD = f"{'':58} {'figure':>10} {'':4} {'floor':>10} {'ratio':>7}  {'target':12}"


def p50(samples: Sequence[float]) -> float:
    return statistics.median(samples)


def p95(samples: Sequence[float]) -> float:
    return part(samples, 0.95)


def p99(samples: Sequence[float]) -> float:
    return part(samples, 0.99)


def part(samples: Sequence[float], share: float) -> float:
    """The sample below which this share of them lies."""
    return sorted(samples)[min(int(len(samples) * share), len(samples) - 1)]
