"""``sympozium resume``: a run goes on where it is, or where it is not any more, from what the bus has of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sympozium_cli import podfile
from sympozium_cli.attend import Wishes, attend
from sympozium_cli.bus.identity import gate_of, mint_for_gate
from sympozium_cli.bus.named import Bus
from sympozium_cli.bus.pod import on_bus, values
from sympozium_cli.launch.platform import Held, Platform
from sympozium_cli.launch.prepare import make_places
from sympozium_cli.outcome import Unreadable, read_result
from sympozium_cli.platforms import platform_of
from sympozium_cli.podfile import On, Saved
from sympozium_cli.rundir import BUS_TOKEN_FILE, ENDED_FILE, POD_FILE, RESTORING_FILE, RunDirectory, find, runs_root
from sympozium_cli.starting import new_directory, storage
from sympozium_cli.terminal import standard_error
from sympozium_cli.view.ask import Approve, effective
from sympozium_controller.flags import Flags
from sympozium_protocol import layout
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import FileFault, digest
from sympozium_protocol.ids import is_id
from sympozium_protocol.messages.spec import RunSpec
from sympozium_protocol.process import read_run

if TYPE_CHECKING:
    from sympozium_cli.bus.copy import Copy


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line of ``sympozium resume``. All from ``namespace`` on is for a run that is not here."""

    name: str
    approve: Approve | None = None
    output: str = "text"
    quiet: bool = False
    bus: Bus | None = None
    namespace: str = "default"
    directory: str | None = None
    files: tuple[str, ...] = ()
    flags: Flags = field(default_factory=Flags)
    script: str = ""
    on: On = field(default_factory=On)


def resume(asked: Asked) -> int:
    """The exit code. Raises Ended."""
    run = _place(asked)
    try:
        if run.run_file.exists():
            return _go_on(asked, run)
        if asked.bus is None:
            raise Ended(Reason.RunNotFound, f"{asked.name}: is no run of this machine; --bus names where else to look")
        return _from_bus(asked, run, asked.bus)
    except OSError as error:
        raise Ended(*storage(error)) from None


def _place(asked: Asked) -> RunDirectory:
    """Where the run is, or is to be. Raises Ended (RunNotFound)."""
    if asked.directory:
        return RunDirectory(Path(os.path.realpath(asked.directory)))
    try:
        return find(asked.name)
    except Ended:
        if asked.bus is None:
            raise
    named = runs_root() / asked.name
    path = named if is_id(asked.name) else Path(asked.name).absolute()
    return RunDirectory(Path(os.path.realpath(path)))


# -- it is here ---------------------------------------------------------------------------------------------------


def _go_on(asked: Asked, run: RunDirectory) -> int:
    lock = run.lock()
    saved = podfile.load(run)
    saved = replace(saved, bus=asked.bus or saved.bus)
    with run.open_ipc() as ipc:
        spec = read_run(ipc, digest(saved.pod.run))
    if saved.bus:
        with _copy(saved.bus, spec.namespace, spec.run, saved.pod.run) as copy:
            _restore(copy, run, asked)
    _check_unfinished(run, spec.run)
    return _attend(asked, run, lock, saved, spec)


@contextmanager
def _copy(bus: Bus, namespace: str, name: str, data: bytes = b"") -> Iterator[Copy]:
    """What the bus has of the run, when nobody else is at it. ``data``: the RunSpec, to be there if it is not."""
    from sympozium_cli.bus.connecting import run_of
    from sympozium_cli.bus.copy import copied
    from sympozium_cli.bus.first import publish_run
    from sympozium_cli.bus.identity import as_launcher
    from sympozium_cli.bus.restore import check_alone

    with as_launcher(bus, namespace) as known:
        key = run_of(namespace, name)
        if data:
            publish_run(known, RunSpec.decode(data), data)
        check_alone(known, key)
        with copied(known, key) as copy:
            yield copy


def _restore(copy: Copy, run: RunDirectory, asked: Asked) -> None:
    from sympozium_cli.bus.restore import restore

    written = restore(copy, run)
    if written:
        files = "1 file" if written == 1 else f"{written} files"
        said = f"{files} written again from the bus; the workspace is not on it"
        standard_error(quiet=asked.quiet).line(said)


def _check_unfinished(run: RunDirectory, run_id: str) -> None:
    """A result that its launcher has seen is the end. One that it has not may still have to be made safe."""
    try:
        with run.open_ipc() as ipc:
            result = read_result(ipc, run_id)
    except Unreadable as fault:
        raise Ended(Reason.ResultUnreadable, f"{run.name}: {fault}") from None
    if result and ended_reason(run) == result.reason:
        raise Ended(Reason.RunFinished, f"{run.name}: has ended ({result.reason}); see sympozium runs show")


def ended_reason(run: RunDirectory) -> str:
    """The launcher's word on the end; empty when there is none."""
    try:
        with run.open() as directory:
            return str(json.loads(directory.read(ENDED_FILE) or b"{}").get("reason", ""))
    except (FileFault, ValueError, AttributeError):
        return ""


# -- it is not here any more --------------------------------------------------------------------------------------


def _from_bus(asked: Asked, run: RunDirectory, bus: Bus) -> int:
    with _copy(bus, asked.namespace, asked.name if is_id(asked.name) else _name_in(run)) as copy:
        spec = copy.spec
        if copy.ended:
            raise Ended(Reason.RunFinished, f"{spec.run}: has ended; see sympozium runs show {spec.run} {bus.words}")
        lock, saved = _prepared(asked, run, bus, copy)
        make_places(run, spec, _platform(saved, run, spec))
        _begin_restoring(run)
        _restore(copy, run, asked)
    return _attend(asked, run, lock, saved, spec)


def _prepared(asked: Asked, run: RunDirectory, bus: Bus, copy: Copy) -> tuple[int, Saved]:
    """The directory with its pod.json: the one that is left, or another of the documents. Raises Ended, OSError."""
    with copy.ipc.open(layout.RUN) as own:
        data = own.read(layout.RUN_FILE) or b""
    if (run.path / POD_FILE).exists():
        lock, saved = run.lock(), replace(podfile.load(run), bus=bus)
        _check_same(saved, data, copy.spec.run)
        return lock, saved
    saved = replace(_resolved(asked, copy.spec, data), on=asked.on, bus=bus)
    _platform(saved, run, copy.spec)  # what is missing is said before a directory is made
    with new_directory(run):
        lock = run.lock()
        with run.open() as own:
            own.write(POD_FILE, podfile.save(saved), durable=True)
    return lock, saved


def _begin_restoring(run: RunDirectory) -> None:
    """Whatever is there, none of it may be all."""
    with run.open() as own:
        if not own.has(RESTORING_FILE):
            own.write(RESTORING_FILE, b"", durable=True)


def _name_in(run: RunDirectory) -> str:
    """The name of the run whose pod.json is left."""
    return podfile.load(run).pod.name


def _check_same(saved: Saved, data: bytes, name: str) -> None:
    if saved.pod.run != data:
        raise Ended(Reason.InvalidRun, f"{name}: {POD_FILE}: is of another run than the one that the bus has")


def _resolved(asked: Asked, spec: RunSpec, data: bytes) -> Saved:
    from sympozium_cli.bus.again import prepared_again

    contained = asked.on.place == "compose"
    return prepared_again(spec, data, asked.files, asked.flags, asked.script, contained=contained).saved


# -- in both cases ------------------------------------------------------------------------------------------------


def _platform(saved: Saved, run: RunDirectory, spec: RunSpec) -> Platform:
    return platform_of(on_bus(saved.pod, saved.bus, saved.on.place), run, spec, saved.on)


def _attend(asked: Asked, run: RunDirectory, lock: int, saved: Saved, spec: RunSpec) -> int:
    if asked.approve in ("ask", "all", "wait") and not spec.approval.somebody:
        why = "the run was started with nobody to ask, and what it may do is frozen; start it anew to be asked"
        raise Ended(Reason.Usage, f"command line: --approve {asked.approve}: {why}")
    bus = gate_of(saved.bus, run.path / BUS_TOKEN_FILE)
    if saved.bus:
        mint_for_gate(saved.bus, spec, run.path / BUS_TOKEN_FILE)
    platform = _platform(replace(saved, bus=bus), run, spec)
    found = {**podfile.values(saved, os.environ), **values(bus, saved.on.place)}
    platform.settle()
    chosen: Approve = effective(asked.approve or saved.approve)  # type: ignore[arg-type]
    wishes = Wishes(chosen, asked.output, asked.quiet, saved.bus)
    held = Held(run, found, lock)
    return attend(held, spec, platform, wishes, standard_error(quiet=asked.quiet), resumed=True)
