"""The memory is judged by the kit that is given to others."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sympozium_memory.lock import Lock
from sympozium_memory.store import Memory
from tests.support.memory import PROGRAM

KIT = Path(sys.executable).parent / "sympozium-conformance"
SLOW = 1.2
"""Seconds that a store takes while another program keeps the file."""


@contextmanager
def slow_writes(file: Path) -> Iterator[None]:
    """Another program that keeps the memory's lock, and lets a writer in who has waited for long."""
    ends = threading.Event()
    lock = Lock(file)

    def keep() -> None:
        while not ends.is_set():
            with lock:
                while not ends.wait(0.005):
                    if lock.waited_for() and not ends.wait(SLOW):
                        break
        lock.close()

    keeper = threading.Thread(target=keep)
    keeper.start()
    try:
        yield
    finally:
        ends.set()
        keeper.join()


def test_the_memory_passes_the_full_level(tmp_path: Path) -> None:
    file = tmp_path / "memory.db"
    with Memory.open(file) as memory:
        memory.store("payments-api was OOMKilled")
    with slow_writes(file):
        done = subprocess.run(
            [
                *(KIT, "--level", "full", "--name", "memory"),
                *("--call", 'memory_search={"query": "why did payments-api crash"}'),
                *("--slow-call", 'memory_store={"content": "stored while the file is kept by another program"}'),
                *("--", PROGRAM, "serve", "--file", file),
            ],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    with Memory.open(file) as memory:
        assert memory.count() == 2
        assert memory.check() == ()
