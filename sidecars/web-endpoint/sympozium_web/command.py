"""The command ``sympozium``: the one way in which this program starts runs. Argument lists in, results out."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sympozium_protocol.exits import Ended, Reason, reason_of
from sympozium_protocol.messages.spec import RunSpec
from sympozium_protocol.process import log
from sympozium_web.outcomes import is_inward, without_paths
from sympozium_web.settings import runs_root

CANCEL_GRACE: Final = 10.0
"""Seconds that a cancelled run has before it is stopped at once: an agent's own grace for its calls is 5."""
_PR_SET_PDEATHSIG: Final = 1
_libc: Final = ctypes.CDLL(None)
STOP_GRACE: Final = 10.0
"""Seconds that the command then has to end its programs, before it is killed itself."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended. ``answer`` is there exactly when it succeeded; ``message`` is for a person."""

    run: str
    reason: Reason
    answer: str | None
    message: str
    input_tokens: int = 0
    output_tokens: int = 0


def command() -> str:
    """The command of this installation."""
    return str(Path(sys.executable).with_name("sympozium"))


async def dry_run(arguments: Sequence[str], text: str) -> RunSpec:
    """The RunSpec that a run would have. Raises Ended with the command's own reason and words."""
    process = await _start(["run", "--dry-run", "-", *arguments])
    out, err = await process.communicate(text.encode())
    if process.returncode:
        raise Ended(reason_of(process.returncode) or Reason.InternalError, _last_line(err).removeprefix("error: "))
    return RunSpec.decode(out)


async def run(directory: Path, arguments: Sequence[str], text: str) -> Finished:
    """A run in ``directory``, from start to end. Cancelled, it cancels the run and waits for its end."""
    try:
        process = await _start(["run", "-", *arguments, "--dir", str(directory), "--output", "json", "--quiet"])
    except OSError as error:  # no process or file was left to have
        return _ended(Finished(directory.name, Reason.InternalError, None, f"{command()}: {error.strerror}"))
    talking = asyncio.ensure_future(process.communicate(text.encode()))
    try:
        out, err = await asyncio.shield(talking)
    except asyncio.CancelledError:
        ending = asyncio.ensure_future(_end(process, talking))
        while not ending.done():  # however often it is cancelled: what it started must be gone when it ends
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(ending)
        log("run ended", run=directory.name, reason=Reason.Cancelled.name)
        raise
    return _ended(finished(directory.name, process.returncode or 0, out, err))


def _ended(found: Finished) -> Finished:
    """Said in the log, with what clients are not told; as clients may be told it."""
    more = {"message": found.message} if is_inward(found.reason) else {}
    log("run ended", run=found.run, reason=found.reason.name, **more)
    roots = (str(Path.home()), sys.prefix, tempfile.gettempdir(), str(runs_root()), str(Path.cwd()))
    return replace(found, message=without_paths(found.message, roots))


async def _start(arguments: Sequence[str]) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        command(),
        *arguments,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env=_environment(),
        start_new_session=True,  # Ctrl-C at this server's terminal is ours to pass on
        preexec_fn=_end_with_server,
    )


def _end_with_server() -> None:
    """In the child: should this server be killed, the kernel cancels the run (prctl(2), PR_SET_PDEATHSIG)."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)


def _environment() -> dict[str, str]:
    """Ours, without the token that clients present here."""
    return {name: value for name, value in os.environ.items() if name != "SYMPOZIUM_WEB_TOKEN"}


async def _end(process: asyncio.subprocess.Process, talking: asyncio.Future[tuple[bytes, bytes]]) -> None:
    """Cancel, stop at once, kill: each when the one before did not do. The command leaves nothing behind."""
    for number, grace in ((signal.SIGINT, CANCEL_GRACE), (signal.SIGINT, STOP_GRACE), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        done, _ = await asyncio.wait([talking], timeout=grace)
        if done:
            return


def finished(run_name: str, code: int, out: bytes, err: bytes) -> Finished:
    """What the command said of a run. Pure."""
    said = _last_line(err).removeprefix("error: ")
    try:
        result = json.loads(out)
        usage = result["usage"]
        tokens = int(usage.get("inputTokens", 0)), int(usage.get("outputTokens", 0))
        reason = Reason[result["reason"]]
    except (ValueError, LookupError, TypeError):
        return Finished(run_name, (reason_of(code) if code > 0 else None) or Reason.InternalError, None, said)
    if code != reason:
        return Finished(run_name, reason_of(code) or Reason.InternalError, None, said, *tokens)
    answer = str(result.get("output", "")) if reason is Reason.Completed else None
    return Finished(run_name, reason, answer, str(result.get("message", "")) or said, *tokens)


def _last_line(err: bytes) -> str:
    lines = [line for line in err.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines or [""])[-1]
