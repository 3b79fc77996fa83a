"""``sympozium run``: everything up to the first program's start."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from sympozium_cli import inputs, podfile
from sympozium_cli.attend import Wishes, attend
from sympozium_cli.bus.identity import gate_of
from sympozium_cli.bus.named import Bus
from sympozium_cli.bus.pod import on_bus, values
from sympozium_cli.inputs import Prepared, prepare
from sympozium_cli.launch.platform import Held
from sympozium_cli.launch.prepare import lay_out
from sympozium_cli.platforms import platform_of
from sympozium_cli.podfile import On
from sympozium_cli.replay import prepare_again
from sympozium_cli.rundir import BUS_TOKEN_FILE, RunDirectory, find, new_run_id, runs_root
from sympozium_cli.terminal import print_json, standard_error
from sympozium_cli.view.ask import Approve, effective
from sympozium_controller.flags import Flags
from sympozium_protocol import clock
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.ids import is_id
from sympozium_protocol.messages.spec import RunSpec


@dataclass(frozen=True, slots=True)
class Wanted:
    """The command line of ``sympozium run``. ``flags.approve`` is as it was said."""

    text: str | None
    flags: Flags
    files: tuple[str, ...] = ()
    script: str = ""
    replay: str = ""
    directory: str | None = None
    output: str = "text"
    quiet: bool = False
    dry_run: bool = False
    on: On = field(default_factory=On)
    bus: Bus | None = None
    plain: frozenset[str] = field(default_factory=frozenset)
    """Names of further options that were given."""


def start(wanted: Wanted) -> int:
    """``sympozium run``; the exit code. Raises Ended before anything has started or was left on the disk."""
    if wanted.directory == "":
        raise Ended(Reason.Usage, "command line: --dir: is empty")
    approve = effective(wanted.flags.approve)
    now = time.time()
    directory = _directory(wanted.directory, now)
    run_id = _run_id(directory, now)
    prepared = _prepared(wanted, approve, run_id, clock.utc(now))
    _check_bus(prepared.spec, wanted.bus)
    if wanted.dry_run:
        print_json(prepared.spec.model_dump(mode="json", by_alias=True, exclude_none=True))
        return 0
    run = RunDirectory(directory)
    saved = replace(prepared.saved, on=wanted.on, bus=wanted.bus)
    gate = gate_of(wanted.bus, run.path / BUS_TOKEN_FILE)
    platform = platform_of(on_bus(saved.pod, gate, wanted.on.place), run, prepared.spec, wanted.on)
    with new_directory(run):
        lock = run.lock()
        lay_out(run, prepared.spec, saved.pod.run, podfile.save(saved), platform)
        if wanted.bus:
            _publish(wanted.bus, run, prepared.spec, saved.pod.run)
        platform.settle()
        found = {**prepared.values, **values(gate, wanted.on.place)}
    wishes = Wishes(approve, wanted.output, wanted.quiet, wanted.bus)
    held = Held(run, found, lock)
    return attend(held, prepared.spec, platform, wishes, standard_error(quiet=wanted.quiet))


def _check_bus(spec: RunSpec, bus: Bus | None) -> None:
    absent = [one.name for one in spec.participants if one.placement == "bus"]
    if spec.model.provider == "replay" and spec.model.participant in absent:
        why = "a recording is played here, and the model of this run is elsewhere; give its documents with -f"
        raise Ended(Reason.Usage, f"command line: --replay: {why}")
    if absent and bus is None:
        why = f"{', '.join(absent)} would answer over a bus; name one with --bus"
        raise Ended(Reason.Usage, f"command line: --elsewhere: {why}")


def _publish(bus: Bus, run: RunDirectory, spec: RunSpec, data: bytes) -> None:
    """Raises Ended, OSError."""
    from sympozium_cli.bus.first import publish_run
    from sympozium_cli.bus.identity import as_launcher, mint_for_gate

    mint_for_gate(bus, spec, run.path / BUS_TOKEN_FILE)
    with as_launcher(bus, spec.namespace) as known:
        publish_run(known, spec, data)


def _directory(said: str | None, now: float) -> Path:
    return Path(os.path.realpath(said or runs_root() / new_run_id(now)))


def _run_id(directory: Path, now: float) -> str:
    """A run below the default place has one name: memory, logs and lists all say that of its directory."""
    below = directory.parent == Path(os.path.realpath(runs_root()))
    return directory.name if below and is_id(directory.name) else new_run_id(now)


def _prepared(wanted: Wanted, approve: Approve, run_id: str, now: str) -> Prepared:
    text = inputs.input_text(wanted.text)
    recorded = find(wanted.replay) if wanted.replay else None
    if recorded and wanted.on.place != "processes":
        raise Ended(Reason.Usage, f"command line: --replay: is played by processes, not on {wanted.on.place}")
    if recorded and not wanted.files:
        if wanted.plain:
            names = ", ".join(sorted(wanted.plain))
            why = f"{names}: the recorded run is taken as it was; give its documents with -f to change it"
            raise Ended(Reason.Usage, f"command line: {why}")
        return prepare_again(recorded, text, approve, run_id=run_id, now=now)
    flags = replace(
        wanted.flags,
        input=text,
        script=inputs.script(wanted.script) if wanted.script else None,
        recording=str(recorded.record) if recorded else "",
        approve=approve,
        mcp=tuple(map(inputs.server, wanted.flags.mcp)),
    )
    return prepare(wanted.files, flags, run_id=run_id, now=now, contained=wanted.on.place == "compose")


@contextlib.contextmanager
def new_directory(run: RunDirectory) -> Iterator[None]:
    """Made; it goes again when it cannot be filled. Raises Ended."""
    try:
        run.make()
    except OSError as error:
        raise Ended(*storage(error)) from None
    try:
        yield
    except OSError as error:
        shutil.rmtree(run.path, ignore_errors=True)
        raise Ended(*storage(error)) from None
    except BaseException:
        shutil.rmtree(run.path, ignore_errors=True)
        raise


def storage(error: OSError) -> tuple[Reason, str]:
    """What an OSError of the run's directory is, and says."""
    import errno

    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    where = error.filename or "run directory"
    return Reason.DiskFull if full else Reason.StorageFailed, f"{where}: {(error.strerror or str(error)).lower()}"
