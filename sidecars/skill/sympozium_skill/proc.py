"""What /proc tells of processes: who started when, who belongs to whom, who bears a call's mark."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

MARK = "SYMPOZIUM_CALL"
"""The variable in a command's environment that names its call: children inherit it wherever they go."""


@dataclass(frozen=True, slots=True)
class Stat:
    """Fields of /proc/<pid>/stat, proc(5). ``start``: clock ticks since boot."""

    pid: int
    state: str
    parent: int
    group: int
    start: int


def stat_of(pid: int) -> Stat | None:
    """None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    # the name in parentheses may itself hold blanks and parentheses
    fields = text[text.rfind(b")") + 2 :].split()
    return Stat(pid, fields[0].decode(), int(fields[1]), int(fields[2]), int(fields[19]))


def boot_id() -> str:
    """Names this boot; empty where the system does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def all_pids() -> Iterator[int]:
    yield from (int(name) for name in os.listdir("/proc") if name.isdigit())


def own_children() -> list[int]:
    """The processes whose parent we are, adopted ones too, dead ones that nobody waited for too."""
    own = os.getpid()
    try:
        with open(f"/proc/self/task/{own}/children", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:  # a kernel without that file
        return [pid for pid in all_pids() if (found := stat_of(pid)) and found.parent == own]


def mark_of(pid: int) -> str | None:
    """The call that a process belongs to by its environment; None when it bears no mark, or is not to be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            text = file.read()
    except OSError:
        return None
    wanted = MARK.encode() + b"="
    return next((v[len(wanted) :].decode("utf-8", "replace") for v in text.split(b"\0") if v.startswith(wanted)), None)
