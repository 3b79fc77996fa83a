"""The limits of a run: what the instance states, and what others tighten. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sympozium_controller.objects import Limits
from sympozium_protocol.messages.spec import LimitSpec

FIELDS: Final = ("steps", "timeout", "tokens", "usd", "calls", "disk")


def resolve_limits(instance: Limits, tightening: Iterable[Limits], flags: Limits) -> LimitSpec:
    """The instance's (a flag stands in for what it leaves out), never loosened by anyone after it."""
    base = _stated(LimitSpec()) | _stated(flags) | _stated(instance)
    found = {name: _tightest([base[name], *_values(name, [*tightening, flags])]) for name in FIELDS}
    return LimitSpec.model_validate({**found, "timeout": float(found["timeout"]), "usd": float(found["usd"])})


def _stated(limits: Limits | LimitSpec) -> dict[str, float]:
    return {name: value for name in FIELDS if (value := getattr(limits, name)) is not None}


def _values(name: str, limits: Iterable[Limits]) -> list[float]:
    return [value for one in limits if (value := getattr(one, name)) is not None]


def _tightest(values: list[float]) -> float:
    """The least of them; 0 is no limit, so the loosest."""
    return min((value for value in values if value), default=0)
