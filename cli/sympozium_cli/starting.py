"""``sympozium run`` and ``sympozium resume``: everything up to the first program's start."""

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
from sympozium_cli.inputs import Prepared, prepare
from sympozium_cli.launch.platform import Held
from sympozium_cli.launch.prepare import lay_out
from sympozium_cli.outcome import Unreadable, read_result
from sympozium_cli.platforms import platform_of
from sympozium_cli.podfile import On
from sympozium_cli.replay import prepare_again
from sympozium_cli.rundir import ENDED_FILE, RunDirectory, find, new_run_id, runs_root
from sympozium_cli.terminal import print_json, standard_error
from sympozium_cli.view.ask import Approve, effective
from sympozium_controller.flags import Flags
from sympozium_protocol import clock
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import FileFault, digest
from sympozium_protocol.ids import is_id
from sympozium_protocol.process import read_run


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
    if wanted.dry_run:
        print_json(prepared.spec.model_dump(mode="json", by_alias=True, exclude_none=True))
        return 0
    run = RunDirectory(directory)
    saved = replace(prepared.saved, on=wanted.on)
    platform = platform_of(saved.pod, run, prepared.spec, wanted.on)
    with _new(run):
        lock = run.lock()
        lay_out(run, prepared.spec, saved.pod.run, podfile.save(saved), platform)
        platform.settle()
    wishes = Wishes(approve, wanted.output, wanted.quiet)
    held = Held(run, prepared.values, lock)
    return attend(held, prepared.spec, platform, wishes, standard_error(quiet=wanted.quiet))


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
def _new(run: RunDirectory) -> Iterator[None]:
    """A new directory; it goes again when it cannot be filled. Raises Ended."""
    try:
        run.make()
    except OSError as error:
        raise Ended(*_storage(error)) from None
    try:
        yield
    except OSError as error:
        shutil.rmtree(run.path, ignore_errors=True)
        raise Ended(*_storage(error)) from None
    except BaseException:
        shutil.rmtree(run.path, ignore_errors=True)
        raise


def _storage(error: OSError) -> tuple[Reason, str]:
    import errno

    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    where = error.filename or "run directory"
    return Reason.DiskFull if full else Reason.StorageFailed, f"{where}: {(error.strerror or str(error)).lower()}"


def resume(name: str, approve: Approve | None, output: str, *, quiet: bool) -> int:
    """``sympozium resume``; the exit code. Raises Ended."""
    run = find(name)
    try:
        lock = run.lock()
    except OSError as error:
        raise Ended(*_storage(error)) from None
    saved = podfile.load(run)
    with run.open_ipc() as ipc:
        spec = read_run(ipc, digest(saved.pod.run))
    _check_unfinished(run, spec.run)
    platform = platform_of(saved.pod, run, spec, saved.on)
    held = Held(run, podfile.values(saved, os.environ), lock)
    try:
        platform.settle()
    except OSError as error:
        raise Ended(*_storage(error)) from None
    if approve in ("ask", "all") and not spec.approval.somebody:
        why = "the run was started with nobody to ask, and what it may do is frozen; start it anew to be asked"
        raise Ended(Reason.Usage, f"command line: --approve {approve}: {why}")
    chosen: Approve = effective(approve or saved.approve)  # type: ignore[arg-type]
    wishes = Wishes(chosen, output, quiet)
    return attend(held, spec, platform, wishes, standard_error(quiet=quiet), resumed=True)


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
    import json

    try:
        with run.open() as directory:
            return str(json.loads(directory.read(ENDED_FILE) or b"{}").get("reason", ""))
    except (FileFault, ValueError, AttributeError):
        return ""
