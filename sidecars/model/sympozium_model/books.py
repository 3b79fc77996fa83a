"""The account of one run as its files have it: the gateway's own, and on the bus those of its other copies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from sympozium_model.budget import Budget, prices_of
from sympozium_protocol import layout
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import BadFile, Directory
from sympozium_protocol.ids import id_of
from sympozium_protocol.messages import InvalidDocument, Reply, RunSpec, Started

UNKNOWN = "0" * 64
"""In place of a digest that cannot be read any more; no bytes have it."""


@dataclass(slots=True)
class Books:
    """``started`` and replies, each read once."""

    spec: RunSpec
    participant: str
    started: Directory
    replies: Directory
    budget: Budget
    _seen: set[str] = field(default_factory=set)

    @classmethod
    def open(cls, root: Directory, spec: RunSpec, participant: str) -> Self:
        free = spec.model.provider in ("scripted", "replay")
        budget = Budget(spec.limits, None if free else prices_of(spec.model), free=free)
        started, replies = root.open(layout.started(participant)), root.open(layout.replies(participant))
        return cls(spec, participant, started, replies, budget)

    def look(self) -> None:
        """Take what is new into the budget. Raises Ended (StorageFailed)."""
        try:
            marks = [self._mark(name) for name in self._new(self.started)]
            found = [Reply.decode(self.replies.read(name) or b"") for name in self._new(self.replies) if id_of(name)]
        except (BadFile, InvalidDocument) as fault:
            # without the account the limits could not be kept
            words = f"{self.participant}: what was spent cannot be read: {fault}"
            raise Ended(Reason.StorageFailed, words) from None
        self.budget.restore(marks, found)

    def _new(self, directory: Directory) -> list[str]:
        found = [name for name in directory.names() if directory.at(name) not in self._seen]
        self._seen.update(map(directory.at, found))
        return found

    def _mark(self, name: str) -> Started:
        """One that a crash of the machine left damaged still counts as a call, where nothing else is limited."""
        try:
            return Started.decode(self.started.read(name) or b"")
        except InvalidDocument:
            if self.spec.limits.tokens or self.spec.limits.usd:
                raise
            return Started(id=name, digest=UNKNOWN)
