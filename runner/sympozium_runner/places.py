"""The directories that the agent reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sympozium_protocol import layout
from sympozium_protocol.files import Directory
from sympozium_protocol.ledger import Ledger
from sympozium_protocol.listing import Numbered
from sympozium_protocol.waiting import Pulse


@dataclass(slots=True)
class Counter:
    """One participant as the agent sees it: where calls go in and replies come out."""

    name: str
    own: Directory
    calls: Directory
    withdrawn: Directory
    verdicts: Directory
    questions: Directory
    started: Directory
    replies: Directory
    blobs: Directory
    manifests: Numbered
    pulse: Pulse

    @classmethod
    def open(cls, root: Directory, name: str, now: float) -> Counter:
        own = root.open((name,))
        return cls(
            name=name,
            own=own,
            calls=root.make(layout.calls(name)),
            withdrawn=root.make(layout.withdrawn(name)),
            verdicts=root.open(layout.verdicts(name)),
            questions=root.open(layout.questions(name)),
            started=root.open(layout.started(name)),
            replies=root.open(layout.replies(name)),
            blobs=root.open(layout.blobs(name)),
            manifests=Numbered(root.open(layout.tools(name))),
            pulse=Pulse(own, now),
        )


@dataclass(slots=True)
class Places:
    """The agent's view of /ipc. It writes below ``own`` alone."""

    own: Directory
    transcript: Directory
    blobs: Directory
    bridge: Directory
    inbox: Directory
    bridge_pulse: Pulse
    counters: dict[str, Counter]
    ledger: Ledger

    @classmethod
    def open(cls, root: Directory, participants: tuple[str, ...], path: Path, disk: int, now: float) -> Places:
        """Raises FileFault. ``now`` is the monotonic clock."""
        bridge = root.open((layout.BRIDGE,))
        return cls(
            own=root.make((layout.AGENT,)),
            transcript=root.make(layout.TRANSCRIPT),
            blobs=root.make(layout.blobs(layout.AGENT)),
            bridge=bridge,
            inbox=root.open(layout.INBOX),
            bridge_pulse=Pulse(bridge, now),
            counters={name: Counter.open(root, name, now) for name in participants},
            ledger=Ledger.of(path / layout.AGENT, disk),
        )

    def keep(self, data: bytes) -> str:
        """Keep a body among the agent's own blobs; its digest. Raises CannotWrite."""
        self.ledger.take(self.blobs.path, len(data), bulk=True)
        return self.blobs.put_blob(data)

    def find_blob(self, digest: str) -> bytes | None:
        """A blob of the agent or of any participant. Raises BadFile for a damaged one."""
        for directory in (self.blobs, *(counter.blobs for counter in self.counters.values())):
            if (data := directory.get_blob(digest)) is not None:
                return data
        return None
