"""What a program owes to whoever started it: its settings, its signals, its exit code, its log.

Every program of a pod is ``run(main)``, where ``main`` is a coroutine that ends when the work is
done, is cancelled by SIGTERM, and raises ``Ended`` or a FileFault when it cannot go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sympozium_protocol.clock import utc
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import BadFile, Directory, DiskFull, FileFault, digest, open_root
from sympozium_protocol.layout import RUN, RUN_FILE
from sympozium_protocol.ledger import OverLimit
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.spec import RunSpec

CANCEL_AGAIN_AFTER = 0.1
"""Seconds."""
RUN_EVERY = 0.02
"""Seconds between two looks for run.json."""
_PR_SET_PDEATHSIG = 1
_own_process: ContextVar[bool] = ContextVar("_own_process", default=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a program is told from outside. Everything else stands in the RunSpec.

    =========================  =====================================================
    ``SYMPOZIUM_IPC``          the ipc directory (default /ipc)
    ``SYMPOZIUM_PARTICIPANT``  the participant's name (its directory in /ipc)
    ``SYMPOZIUM_RUN_DIGEST``   SHA-256 of run.json; another RunSpec is refused
    ``SYMPOZIUM_WORKSPACE``    the shared directory of content (default /workspace)
    ``SYMPOZIUM_PARENT``       a process id: end when this parent has gone
    ``SYMPOZIUM_RUN_WITHIN``   seconds to wait for run.json (default 0)
    ``SYMPOZIUM_SECRETS``      a directory of files, each named as the variable
                               that it stands for; read at the start
    =========================  =====================================================
    """

    ipc: Path
    participant: str
    run_digest: str
    workspace: Path

    @classmethod
    def from_environment(cls, participant: str = "") -> Settings:
        return cls(
            ipc=Path(os.environ.get("SYMPOZIUM_IPC", "/ipc")),
            participant=os.environ.get("SYMPOZIUM_PARTICIPANT", participant),
            run_digest=os.environ.get("SYMPOZIUM_RUN_DIGEST", ""),
            workspace=Path(os.environ.get("SYMPOZIUM_WORKSPACE", "/workspace")),
        )


def read_run(root: Directory, expected_digest: str = "") -> RunSpec:
    """The frozen RunSpec below ``root``. Raises Ended (InvalidRun) when absent, invalid or another one."""
    try:
        with root.open(RUN) as directory:
            data = directory.read(RUN_FILE)
        if data is None:
            raise Ended(Reason.InvalidRun, "run/run.json: is not there")
        if expected_digest and digest(data) != expected_digest:
            raise Ended(Reason.InvalidRun, "run/run.json: is not the RunSpec that this program was started for")
        return RunSpec.decode(data)
    except InvalidDocument as fault:
        raise Ended(Reason.InvalidRun, f"run/run.json: {fault.why}") from None
    except FileFault as fault:
        raise Ended(Reason.InvalidRun, str(fault)) from None


def open_run(settings: Settings) -> tuple[Directory, RunSpec]:
    """The ipc directory and its RunSpec. Raises Ended (InvalidRun)."""
    try:
        root = open_root(settings.ipc)
    except BadFile as fault:
        raise Ended(Reason.InvalidRun, str(fault)) from None
    return root, read_run(root, settings.run_digest)


def await_run() -> None:
    """Whoever makes the pod may still be at it, where all its programs start together: run.json comes last.

    Told to end meanwhile, the program ends (Suspended): there is no loop yet that would hear it.
    """
    ends = time.monotonic() + float(os.environ.get("SYMPOZIUM_RUN_WITHIN", "0"))
    path = Path(os.environ.get("SYMPOZIUM_IPC", "/ipc"), *RUN, RUN_FILE)
    before = signal.signal(signal.SIGTERM, lambda *_: os._exit(int(Reason.Suspended)))
    while not path.exists() and time.monotonic() < ends:
        time.sleep(RUN_EVERY)
    signal.signal(signal.SIGTERM, before)


def take_secrets() -> None:
    """Put the files of SYMPOZIUM_SECRETS into this program's own environment. Raises Ended (MissingKey)."""
    place = os.environ.get("SYMPOZIUM_SECRETS")
    if not place:
        return
    path = Path(place)
    try:
        for path in Path(place).iterdir():
            if not path.name.startswith("."):
                os.environ[path.name] = path.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, ValueError) as error:
        why = (error.strerror or "").lower() if isinstance(error, OSError) else "holds what no variable can"
        raise Ended(Reason.MissingKey, f"{path}: {why}") from None


def log(event: str, **fields: object) -> None:
    """One line of JSON on standard error. Never a secret, never a body."""
    line = json.dumps({"time": utc(time.time()), "event": event, **fields}, ensure_ascii=False, default=str)
    with contextlib.suppress(OSError):  # a log that cannot be written must not end a run
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def die_with_parent() -> None:
    """End with the launcher (prctl(2), PR_SET_PDEATHSIG), if it asked for that."""
    parent = os.environ.get("SYMPOZIUM_PARENT")
    if not parent:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(parent):  # it went before we asked
        raise SystemExit(int(Reason.Suspended))


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Run a program to its end and return its exit code. SIGTERM and SIGINT cancel it (Suspended)."""
    die_with_parent()
    try:
        if "SYMPOZIUM_RUN_WITHIN" in os.environ:
            await_run()
        take_secrets()
        asyncio.run(_until_signal(main))
    except asyncio.CancelledError:
        return int(Reason.Suspended)
    except BaseException as error:  # noqa: BLE001  the top of a program: whatever it is becomes a typed reason
        return report(error)
    finally:
        _let_go_of_output()
    return 0


def _let_go_of_output() -> None:
    """A log that cannot be written (a full disk) must not replace the exit code: Python would end with 120."""
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except (OSError, ValueError, AttributeError):
            setattr(sys, name, None)


async def _until_signal(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    task = asyncio.current_task()
    assert task is not None
    _own_process.set(True)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await main()


async def cancelled(task: asyncio.Future[Any]) -> None:
    """Cancel it until it has ended: asyncio.wait_for of Python 3.11 forgets a cancellation that comes as its own wait
    ends, and libraries use it. What it raised is left in it."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_AGAIN_AFTER)


def end_within(seconds: float) -> None:
    """End this program after so many seconds, whatever still runs in it: a coroutine that does not let itself be
    cancelled, or a thread, would otherwise keep it. Does nothing in a process that is not ``run``'s own.
    """
    if _own_process.get():
        timer = threading.Timer(seconds, os._exit, (int(Reason.Suspended),))
        timer.daemon = True
        timer.start()


def report(error: BaseException) -> int:
    """Say on standard error why a program ends; the exit code of it."""
    reason, message = cause(error)
    if reason is Reason.InternalError:
        traceback.print_exception(error)
    log("ended", reason=reason.name, message=message)
    return int(reason)


def cause(error: BaseException) -> tuple[Reason, str]:
    """The typed reason of whatever ends a program; InternalError for what nobody foresaw."""
    if isinstance(error, asyncio.CancelledError):
        return Reason.Suspended, "told to end"
    found = next(_faults(error), None)
    return reason_for(found) if found else (Reason.InternalError, f"{type(error).__name__}: {error}")


def _faults(error: BaseException) -> Iterator[Ended | FileFault]:
    if isinstance(error, Ended | FileFault):
        yield error
    elif isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _faults(inner)


def reason_for(fault: Ended | FileFault) -> tuple[Reason, str]:
    """The typed reason of a fault that ends a program."""
    if isinstance(fault, Ended):
        return fault.reason, fault.message
    if isinstance(fault, DiskFull):
        return Reason.DiskFull, str(fault)
    if isinstance(fault, OverLimit):
        return Reason.DiskLimit, str(fault)
    return Reason.StorageFailed, str(fault)
