"""A run's files, written down again from the stream: for a run to go on with, and for whoever reads runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from sympozium_protocol import layout
from sympozium_protocol.bus.gather import BadRecord, Found, Gatherer
from sympozium_protocol.bus.places import RUN_PATH, place_of, started_path
from sympozium_protocol.bus.reader import Stored
from sympozium_protocol.bus.subjects import Own, RunKey
from sympozium_protocol.files import Directory, Exists, digest
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.calls import Outcome, Reply, Started, Verdict
from sympozium_protocol.messages.spec import RunSpec

_NOTHING_DONE: Final[frozenset[Outcome]] = frozenset({"unavailable", "cancelled"})


class Mirror:
    """Writes what it is given below ``root``, each file once. The same again changes nothing.

    ``wants``: which paths, beside the RunSpec's. If it is not said: all, and every directory of a run is made.
    """

    def __init__(self, run: RunKey, root: Directory, wants: Callable[[str], bool] | None = None) -> None:
        self.run = run
        self.root = root
        self.spec: RunSpec | None = None
        """Known from the first record on."""
        self.data = b""
        """The RunSpec as the stream has it, byte for byte."""
        self.last = 0
        """The sequence of the last message that was taken."""
        self._wants = wants
        self._gatherer = Gatherer(run)
        self._digests: dict[str, str] = {}

    def take(self, message: Stored) -> list[str]:
        """The paths that are new with it. Raises BadRecord, FileFault."""
        if message.seq <= self.last:
            return []
        found = [one.path for one in self._gatherer.take(message) if self._keep(one)]
        self.last = message.seq
        return found

    def skip(self, message: Stored) -> None:
        """Go on after one that could not be taken."""
        self.last = max(self.last, message.seq)

    def _keep(self, found: Found) -> bool:
        if self.spec is None:
            self._begin(found)
        elif self._wants is not None and not self._wants(found.path):
            return False
        if self._of_one_elsewhere(found.path):
            if found.path in self._digests:
                return False  # the first word on a call counts
            _check_said(found)
        if self._digests.setdefault(found.path, digest(found.data)) != digest(found.data):
            raise BadRecord(f"message {found.seq} of the stream: {found.path} is there already, and another")
        place, name = place_of(found.path)
        with self.root.make(place) as directory:
            if found.path == RUN_PATH and directory.has(name):
                return False  # it may lie where nobody can write, as in a pod
            try:
                directory.write(name, found.data)
            except Exists:
                return False
        return True

    def _of_one_elsewhere(self, path: str) -> bool:
        participant = self.spec.participant(path.partition("/")[0]) if self.spec else None
        return participant is not None and participant.placement == "bus"

    def _begin(self, found: Found) -> None:
        """The RunSpec is the first record of all, by whoever made the pod."""
        if found.path != RUN_PATH or not isinstance(found.at, Own):
            raise BadRecord(f"message {found.seq} of the stream: a run begins with its RunSpec, not with {found.path}")
        try:
            spec = RunSpec.decode(found.data)
        except InvalidDocument as fault:
            raise BadRecord(f"message {found.seq} of the stream: run/run.json: {fault.why}") from None
        if RunKey.of(spec) != self.run:
            raise BadRecord(f"message {found.seq} of the stream: its RunSpec is of another run")
        self.spec, self.data = spec, found.data
        names = tuple(p.name for p in spec.participants)
        for place in () if self._wants is not None else layout.places(names):
            self.root.make(place).close()


def _check_said(found: Found) -> None:
    """In the name of one elsewhere the run's gate says only that nothing was done. Raises BadRecord."""
    if not isinstance(found.at, Own):
        return
    try:
        reply = Reply.decode(found.data)
    except InvalidDocument as fault:
        raise BadRecord(f"message {found.seq} of the stream: {found.path}: {fault.why}") from None
    if reply.outcome not in _NOTHING_DONE or reply.completion is not None:
        raise BadRecord(f"message {found.seq} of the stream: {found.path} is not for the run's gate to say")


def mark_started(root: Directory, participants: Iterable[str]) -> list[str]:
    """What was allowed and has no answer may have been started where nobody can see it any more: say so.

    For a run that goes on from its stream alone. Its participants then answer ``interrupted`` for what writes, and
    do the rest again. The paths that were written. Raises FileFault, BadRecord.
    """
    return [path for name in participants for path in _mark_lane(root, name)]


def _mark_lane(root: Directory, participant: str) -> list[str]:
    marked = []
    with root.make(layout.verdicts(participant)) as verdicts, root.make(layout.replies(participant)) as replies:
        for name in sorted(verdicts.names()):
            if not name.endswith(".json") or replies.has(name):
                continue
            verdict = _verdict(verdicts, name)
            if verdict.decision == "allow" and _mark(root, participant, verdict):
                marked.append(started_path(participant, verdict.id))
    return marked


def _verdict(verdicts: Directory, name: str) -> Verdict:
    try:
        return Verdict.decode(verdicts.read(name) or b"")
    except InvalidDocument as fault:
        raise BadRecord(f"{verdicts.at(name)}: {fault.why}") from None


def _mark(root: Directory, participant: str, verdict: Verdict) -> bool:
    with root.make(layout.started(participant)) as started:
        try:
            started.write(verdict.id, Started(id=verdict.id, digest=verdict.digest).encode())
        except Exists:
            return False
    return True
