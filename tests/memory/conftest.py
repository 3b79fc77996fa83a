"""A memory in a file of its own, with a clock that tests set."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sympozium_memory.store import Memory


class Clock:
    """Seconds since the epoch, a second later at each look."""

    def __init__(self) -> None:
        self.time = 1_790_000_000.0

    def __call__(self) -> float:
        self.time += 1
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(tmp_path: Path, clock: Clock) -> Iterator[Memory]:
    with Memory.open(tmp_path / "memory.db", now=clock) as found:
        yield found


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Makes small file systems of the given mount options; a skip where none may be mounted."""
    made: list[Path] = []

    def make(options: str) -> Path:
        path = tmp_path / f"volume-{len(made)}"
        path.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", options, "none", str(path)]
        if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("may not mount")
        made.append(path)
        return path

    yield make
    for path in made:
        subprocess.run(["umount", "-l", str(path)], check=True)
