"""The directories that the gate reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sympozium_protocol import layout
from sympozium_protocol.files import Directory
from sympozium_protocol.ledger import Ledger
from sympozium_protocol.listing import Listed


@dataclass(frozen=True, slots=True)
class Lane:
    """Everything about one participant's calls."""

    participant: str
    calls: Directory
    withdrawn: Directory
    verdicts: Directory
    questions: Directory
    names: Listed


@dataclass(frozen=True, slots=True)
class Places:
    """The gate's view of /ipc. It writes below ``own`` alone."""

    own: Directory
    agent: Directory
    transcript: Directory
    inbox: Directory
    console: Directory
    lanes: dict[str, Lane]
    ledger: Ledger

    @classmethod
    def open(cls, root: Directory, participants: tuple[str, ...], path: Path, disk: int) -> Places:
        """Raises FileFault. ``path`` is /ipc on the file system, ``disk`` the limit in bytes."""
        return cls(
            own=root.make((layout.BRIDGE,)),
            agent=root.open((layout.AGENT,)),
            transcript=root.open(layout.TRANSCRIPT),
            inbox=root.make(layout.INBOX),
            console=root.open(layout.CONSOLE_BOX),
            lanes={name: _lane(root, name) for name in participants},
            ledger=Ledger.of(path / layout.BRIDGE, disk),
        )

    def write(self, directory: Directory, name: str, data: bytes, *, durable: bool = False) -> None:
        """Write one of the gate's own files. Raises Exists, CannotWrite."""
        self.ledger.take(directory.at(name), len(data))
        directory.write(name, data, durable=durable)

    def stage(self, directory: Directory, name: str, data: bytes) -> str:
        """As ``write``, but it does not appear yet; the name under which it is. Raises CannotWrite."""
        self.ledger.take(directory.at(name), len(data))
        return directory.stage(name, data)


def _lane(root: Directory, name: str) -> Lane:
    calls = root.open(layout.calls(name))
    return Lane(
        participant=name,
        calls=calls,
        withdrawn=root.open(layout.withdrawn(name)),
        verdicts=root.make(layout.verdicts(name)),
        questions=root.make(layout.questions(name)),
        names=Listed(calls),
    )
