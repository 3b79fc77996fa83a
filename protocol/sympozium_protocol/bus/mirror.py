"""A run's files, written down again from the stream: for a run to go on with, and for whoever reads runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sympozium_protocol import layout
from sympozium_protocol.bus.gather import BadRecord, Found, Gatherer
from sympozium_protocol.bus.places import RUN_PATH, place_of, started_path
from sympozium_protocol.bus.reader import Stored
from sympozium_protocol.bus.subjects import Own, RunKey
from sympozium_protocol.files import Directory, Exists, digest
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.calls import Started, Verdict
from sympozium_protocol.messages.spec import RunSpec


class Mirror:
    """Writes what it is given below ``root``, each file once. The same again changes nothing.

    ``wants``: which paths, beside the RunSpec's; all if it is not said.
    """

    def __init__(self, run: RunKey, root: Directory, wants: Callable[[str], bool] = lambda path: True) -> None:
        self.run = run
        self.root = root
        self.spec: RunSpec | None = None
        """Known from the first record on."""
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

    def _keep(self, found: Found) -> bool:
        if self.spec is None:
            self._begin(found)
        elif not self._wants(found.path):
            return False
        if self._digests.setdefault(found.path, digest(found.data)) != digest(found.data):
            raise BadRecord(f"message {found.seq} of the stream: {found.path} is there already, and another")
        place, name = place_of(found.path)
        with self.root.make(place) as directory:
            try:
                directory.write(name, found.data)
            except Exists:
                return False
        return True

    def _begin(self, found: Found) -> None:
        """The RunSpec is the first record of all, by whoever made the pod."""
        if found.path != RUN_PATH or not isinstance(found.at, Own):
            raise BadRecord(f"message {found.seq} of the stream: a run begins with its RunSpec, not with {found.path}")
        try:
            self.spec = RunSpec.decode(found.data)
        except InvalidDocument as fault:
            raise BadRecord(f"message {found.seq} of the stream: run/run.json: {fault.why}") from None
        if RunKey.of(self.spec) != self.run:
            raise BadRecord(f"message {found.seq} of the stream: its RunSpec is of another run")
        for place in layout.places(tuple(p.name for p in self.spec.participants)):
            self.root.make(place).close()


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
