"""Whatever the program under judgement started, found again and ended: nothing outlives the kit."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None)


def adopt_orphans() -> None:
    """Make this process the parent of every orphan below it (prctl(2)), so that none can get away."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_kit() -> None:
    """In the child, before it becomes the program: end when the kit is killed."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def below(pid: int) -> set[int]:
    """Every living process that descends from ``pid``."""
    parents = {int(path.name): parent for path in Path("/proc").glob("[0-9]*") if (parent := _parent(path))}
    found: set[int] = set()
    level = {pid}
    while level := {child for child, parent in parents.items() if parent in level} - found:
        found |= level
    return found


def _parent(path: Path) -> int | None:
    """The parent of a process; None when it has ended (a zombie has, too)."""
    try:
        # the name stands in parentheses and may hold anything, so what follows the last one is read
        fields = (path / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[1])


def end(pids: set[int]) -> None:
    """Kill these, and wait until they are gone."""
    for pid in pids:
        _signal(pid)
    deadline = time.monotonic() + 5
    while any(_parent(Path(f"/proc/{pid}")) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.002)
    for pid in pids:
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:  # not our own child, or reaped already
            pass


def _signal(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
