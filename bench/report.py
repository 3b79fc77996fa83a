"""One row of the table: a figure, its floor of the same run, the target, and whether it is met."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """``target``: the figure must not exceed it; None for what is only told. All in ``unit``."""

    name: str
    figure: float
    unit: str
    target: float | None = None
    floor: float | None = None

    def text(self) -> str:
        floor = f"{self.floor:10.2f} {self.figure / self.floor:6.1f}×" if self.floor else " " * 18
        target = f"≤ {self.target:g}" if self.target is not None else ""
        met = "" if self.target is None else ("met" if self.figure <= self.target else "MISSED")
        return f"{self.name:58} {self.figure:10.2f} {self.unit:4} {floor}  {target:12} {met}"


HEAD = f"{'':58} {'figure':>10} {'':4} {'floor':>10} {'ratio':>7}  {'target':12}"


def p50(samples: Sequence[float]) -> float:
    return statistics.median(samples)


def p95(samples: Sequence[float]) -> float:
    return sorted(samples)[int(len(samples) * 0.95)]
