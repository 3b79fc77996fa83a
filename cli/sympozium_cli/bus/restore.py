"""A run's directory is given what the stream has and it lacks: all of it, or what a crash of the machine took.

What the gate writes itself it also restores itself; that alone is missing after any crash, and nothing is done here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sympozium_cli.bus.connecting import at_once, connection
from sympozium_cli.bus.copy import Copy
from sympozium_cli.bus.named import Bus
from sympozium_cli.rundir import RESTORING_FILE, RunDirectory
from sympozium_protocol import layout
from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.faults import Away, NobodyThere
from sympozium_protocol.bus.places import path_of
from sympozium_protocol.bus.restoring import count_as_started
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import MAX_BLOB, MAX_FILE, Directory, Exists
from sympozium_protocol.layout import Place
from sympozium_protocol.messages.spec import RunSpec

PRESENT_WITHIN = 1.0
"""Seconds that a living gate has to say that it is there."""


@dataclass(frozen=True, slots=True)
class File:
    place: Place
    name: str

    @property
    def path(self) -> str:
        return path_of(self.place, self.name)


def check_alone(bus: Bus, run: RunKey) -> None:
    """Raises Ended (RunLocked) when a gate of the run lives somewhere."""

    async def ask() -> bool:
        async with connection(bus) as link:
            try:
                await link.request(subjects.present(run), b"", within=PRESENT_WITHIN)
            except NobodyThere:
                return False
            except Away:
                if link.lost:
                    raise
                return False
            return True

    if at_once(ask()):
        raise Ended(Reason.RunLocked, f"{run.run}: its programs are running elsewhere, as the bus says")


def restore(copy: Copy, run: RunDirectory) -> int:
    """How many files were written. Killed meanwhile, it is done again. Raises Ended (InvalidRun), FileFault.

    What was allowed and has no answer counts as started from then on: nobody can see any more whether it was.
    """
    with run.open_ipc() as ipc, run.open() as own:
        missing = [file for file in files_of(copy.ipc, copy.spec) if _is_missing(copy, ipc, file)]
        again = own.has(RESTORING_FILE)
        if not again and all(file.place[0] == layout.BRIDGE or _is_elsewhere(copy.spec, file) for file in missing):
            return 0
        if not again:
            own.write(RESTORING_FILE, b"", durable=True)
        for file in missing:
            _write(copy.ipc, ipc, file)
        count_as_started(ipc, copy.spec)
        own.remove(RESTORING_FILE)
        return len(missing)


def files_of(ipc: Directory, spec: RunSpec) -> Iterator[File]:
    """Every file that records can have brought, the RunSpec last: by it a directory is known as a run."""
    for place in (*layout.places(tuple(one.name for one in spec.participants)), (layout.AGENT,)):
        if place in (layout.RUN, layout.CONSOLE_BOX):
            continue
        with ipc.open(place) as directory:
            yield from (File(place, name) for name in sorted(directory.names()) if _is_file(place, name))
    yield File(layout.RUN, layout.RUN_FILE)


def _is_file(place: Place, name: str) -> bool:
    """The agent's own directory holds others, and its result."""
    return name == layout.RESULT_FILE if place == (layout.AGENT,) else not name.startswith(".")


def _is_elsewhere(spec: RunSpec, file: File) -> bool:
    one = spec.participant(file.place[0])
    return one is not None and one.placement == "bus"


def _is_missing(copy: Copy, ipc: Directory, file: File) -> bool:
    """Raises Ended when the directory has another file there."""
    with ipc.make(file.place) as place:
        if not place.has(file.name):
            return True
        if file.place[-1] == "blobs":  # its name says what it is
            return False
        with copy.ipc.open(file.place) as there:
            if place.read(file.name) == there.read(file.name):
                return False
    why = "the run has gone on elsewhere; resume it in another --dir"
    raise Ended(Reason.InvalidRun, f"{file.path}: is not what the bus has: {why}")


def _write(source: Directory, target: Directory, file: File) -> None:
    with source.open(file.place) as there, target.make(file.place) as here:
        data = there.read(file.name, MAX_BLOB if file.place[-1] == "blobs" else MAX_FILE)
        try:
            here.write(file.name, data or b"")
        except Exists:
            return
