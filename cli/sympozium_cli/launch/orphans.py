"""Processes that lost their parent. As child subreaper (prctl(2)) the launcher inherits them, and ends them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36


@dataclass(frozen=True, slots=True)
class Seen:
    """A line of the process table (proc(5), stat)."""

    pid: int
    parent: int
    session: int
    zombie: bool


def become_subreaper() -> None:
    """From now on whatever loses its parent below us becomes our child."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), *(ctypes.c_ulong(0),) * 3)


def processes() -> dict[int, Seen]:
    """Every process by id; those that went while we looked are left out."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdecimal() and (seen := _read(int(name))):
            found[seen.pid] = seen
    return found


def _read(pid: int) -> Seen | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    # the name in brackets may hold anything, brackets and blanks too
    fields = text.rpartition(b")")[2].split()
    return Seen(pid, int(fields[1]), int(fields[3]), fields[0] in (b"Z", b"X"))


def descendants(table: Mapping[int, Seen], roots: Iterable[int]) -> set[int]:
    """The roots and all below them."""
    children: dict[int, list[int]] = {}
    for seen in table.values():
        children.setdefault(seen.parent, []).append(seen.pid)
    found: set[int] = set()
    todo = list(roots)
    while todo:
        pid = todo.pop()
        if pid not in found:
            found.add(pid)
            todo.extend(children.get(pid, ()))
    return found


def abandoned(table: Mapping[int, Seen], me: int, programs: frozenset[int]) -> set[int]:
    """What we were left with, and all below it, but for what still belongs to a living program.

    Something adopted belongs to a program when the leader of its session is that program or lives below it:
    a command's background job outlives its shell, and ends with the command.
    """
    ours = descendants(table, programs)
    adopted = (s.pid for s in table.values() if s.parent == me and s.pid not in programs)
    return descendants(table, (pid for pid in adopted if table[pid].session not in ours))


def sweep(programs: frozenset[int]) -> int:
    """Kill what is abandoned; how many were alive. What they leave becomes ours in turn: repeat until 0."""
    table = processes()
    living = [pid for pid in abandoned(table, os.getpid(), programs) if pid in table and not table[pid].zombie]
    for pid in living:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    return len(living)
