"""What a run's directory is given from its stream, for the run to go on there: whoever starts it again does this first.

Nobody can see any more what had been begun where the run was before, and that is said in the files as well.
"""

from __future__ import annotations

from sympozium_protocol import layout
from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.gather import BadRecord
from sympozium_protocol.bus.link import Link
from sympozium_protocol.bus.mirror import Mirror, mark_started
from sympozium_protocol.bus.reader import Stored, open_reader
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.failpoints import failpoint
from sympozium_protocol.files import Directory
from sympozium_protocol.messages.spec import RunSpec

_CLAIMS = "bridge/gates/"
"""Which gates had the run: of the stream alone, no file of a run."""


def take(mirror: Mirror, message: Stored) -> list[str]:
    """The paths that are new with a message; what a service said and cannot be used is passed over, as the run's gate
    does. Raises Ended (InvalidRun) when it is the run's own, FileFault."""
    try:
        return mirror.take(message)
    except BadRecord as fault:
        if message.subject == subjects.records(mirror.run):
            raise Ended(Reason.InvalidRun, f"{mirror.run.run}: {fault}") from None
    mirror.skip(message)
    return []


def count_as_started(root: Directory, spec: RunSpec) -> list[str]:
    """Say of what was allowed and has no answer that it was begun, as far as that happened beside the agent: it is not
    done twice. The paths that were written. Raises Ended (InvalidRun), FileFault."""
    try:
        return mark_started(root, [one.name for one in spec.participants if one.placement == "pod"])
    except BadRecord as fault:
        raise Ended(Reason.InvalidRun, f"{spec.run}: {fault}") from None


class Restoring:
    """Of one run into ``root``, which has its RunSpec, as ``data``. Files that are there already stay as they are.

    Interrupted anywhere, it is done again or goes on: each file appears whole, and what is left out comes later.
    """

    def __init__(self, root: Directory, spec: RunSpec, data: bytes) -> None:
        self._root = root
        self._spec = spec
        self._data = data
        self._mirror = Mirror(RunKey.of(spec), root, lambda path: not path.startswith(_CLAIMS))
        self.written = 0
        """Files so far."""

    async def read(self, link: Link) -> None:
        """All that the stream has now and was not read before.

        Raises Away, Ended (InvalidRun: it is another run; NotDurable: it has nothing of it), FileFault.
        """
        reader = await open_reader(link, self._mirror.run, self._mirror.last, onward=False)
        try:
            while reader.pending:
                self.written += len(take(self._mirror, await reader.next()))
                self._check()
                failpoint("file-restored")
        finally:
            await reader.close()
        if self._mirror.spec is None:
            why = "the stream has nothing of this run, so what it did is not known any more"
            raise Ended(Reason.NotDurable, f"{self._mirror.run.run}: {why}")

    def _check(self) -> None:
        if self._mirror.data not in (b"", self._data):
            raise Ended(Reason.InvalidRun, f"{self._mirror.run.run}: the stream has another run of this name")

    def finish(self) -> list[str]:
        """Once all was read: every directory there is, and the marks. Raises Ended (InvalidRun), FileFault."""
        for place in layout.places(tuple(one.name for one in self._spec.participants)):
            self._root.make(place).close()
        return count_as_started(self._root, self._spec)
