"""Reading /proc: CPU time, memory, and the processes of a run."""

from __future__ import annotations

import os
from pathlib import Path


def cpu_ms(pid: int) -> float:
    """CPU time of all threads so far, in milliseconds (schedstat counts nanoseconds; stat only ticks)."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e6


def memory_mib(pid: int, field: str) -> float:
    """``Rss`` or ``Pss`` of smaps_rollup, in MiB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def below(pid: int) -> dict[int, str]:
    """All descendants of a process, with the name of the program that each runs."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found: dict[int, str] = {}
    todo = [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            found[child] = program_of(child)
            todo.append(child)
    return found


def program_of(pid: int) -> str:
    """The last part of the name of the script or executable that a process runs."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    return next((Path(w).name for w in words if "sympozium" in Path(w).name), Path(words[0]).name)
