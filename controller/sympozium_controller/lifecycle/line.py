"""Runs of one instance wait in the order of their creation where only so many may go at once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Set

from sympozium_controller.lifecycle.view import is_final
from sympozium_protocol.exits import Reason
from sympozium_protocol.kube.api import KubeObject

_NOT_IN_LINE = frozenset({Reason.MissingReference.name, Reason.Suspended.name})
"""What waits for something else keeps nobody from going."""


def place_of(run: KubeObject) -> tuple[str, str]:
    """Creation has seconds; names tell those of one second apart."""
    metadata = run["metadata"]
    return metadata.get("creationTimestamp") or "", metadata["name"]


def ahead(run: KubeObject, siblings: Iterable[KubeObject], busy: Set[str], limit: int) -> int | None:
    """How many wait before ``run``; None: it has its turn.

    ``siblings``: the runs of its instance. ``busy``: UIDs of those that have a Job which has not ended.
    ``limit``: how many may go at once, 0 for any number.
    """
    uid = run["metadata"]["uid"]
    if not limit or uid in busy:
        return None
    own = place_of(run)
    before = sum(1 for one in siblings if _waits(one) and one["metadata"]["uid"] not in busy and place_of(one) < own)
    return None if len(busy) + before < limit else before


def first(siblings: Iterable[KubeObject], number: int) -> list[KubeObject]:
    """Those that wait longest, at most so many: who is looked at when a place becomes free."""
    return sorted(filter(_waits, siblings), key=place_of)[:number]


def _waits(run: KubeObject) -> bool:
    leaving = run["metadata"].get("deletionTimestamp")
    return not is_final(run) and not leaving and run.get("status", {}).get("reason") not in _NOT_IN_LINE
