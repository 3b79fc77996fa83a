"""SIGKILL at any moment loses nothing that was acknowledged and leaves a sound file."""

from __future__ import annotations

import random
import sqlite3
import threading
from pathlib import Path

import pytest

from sympozium_memory.store import Memory
from tests.support.ipc import send, wait_for, wait_reply
from tests.support.memory import Served, memory_ipc


def sound(file: Path) -> None:
    db = sqlite3.connect(file)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()


@pytest.mark.parametrize("place", ["memory-written", "memory-committed", "effect", "started"])
@pytest.mark.parametrize("nth", [1, 3])
def test_a_store_that_was_begun_is_done_once_by_the_next_life(tmp_path: Path, place: str, nth: int) -> None:
    file, ipc, died = tmp_path / "memory.db", tmp_path / "ipc", tmp_path / "died"
    memory_ipc(ipc)
    with Served(file, ipc, SYMPOZIUM_FAILPOINT=f"{place}#{nth}@{died}") as served:
        served.ready()
        for number in range(nth):
            send(ipc, f"{number + 1}-1", "memory_store", "memory", content=f"fact {number}")
            if number + 1 < nth:
                assert wait_reply(ipc, f"{number + 1}-1", "memory").outcome == "ok"
        wait_for(lambda: died.exists() or None, "death")
        served.process.wait(10)
    sound(file)
    with Served(file, ipc) as served:
        assert wait_reply(ipc, f"{nth}-1", "memory").outcome == "ok"
        found = served.ask("memory_list", call="99-1").details["entries"]
    assert [(entry["content"], entry["count"]) for entry in found] == [
        (f"fact {number}", 1) for number in reversed(range(nth))
    ]
    sound(file)


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment_every_acknowledged_store_is_there(tmp_path: Path, seed: int) -> None:
    """Four clients store until the program dies, after a number of answers that chance chose."""
    file, ipc = tmp_path / "memory.db", tmp_path / "ipc"
    memory_ipc(ipc)
    acknowledged: list[str] = []
    killed = threading.Event()
    after = random.Random(seed).randrange(5, 60)

    def client(number: int) -> None:
        for turn in range(1000):
            content, call = f"fact {turn} of {number}", f"{turn + 1}-{number + 1}"
            send(ipc, call, "memory_store", "memory", content=content)
            reply = ipc / "memory" / "replies" / f"{call}.json"
            wait_for(lambda: reply.exists() or killed.is_set() or None, "reply")  # noqa: B023
            if killed.is_set():
                return
            acknowledged.append(content)

    with Served(file, ipc) as served:
        served.ready()
        clients = [threading.Thread(target=client, args=(number,)) for number in range(4)]
        for thread in clients:
            thread.start()
        wait_for(lambda: len(acknowledged) >= after or None, "acknowledged stores")
        served.kill()
        killed.set()
        for thread in clients:
            thread.join()
    sound(file)
    with Memory.open(file) as memory:
        found = {entry.content for entry in memory.list(limit=10_000)}
        assert found >= set(acknowledged)
        assert memory.check() == ()


def test_killed_while_it_makes_the_file_the_next_life_makes_it_whole(tmp_path: Path) -> None:
    file, ipc, died = tmp_path / "memory.db", tmp_path / "ipc", tmp_path / "died"
    memory_ipc(ipc, seeds=("a seed",))
    with Served(file, ipc, SYMPOZIUM_FAILPOINT=f"memory-made@{died}") as served:
        wait_for(lambda: died.exists() or None, "death")
        served.process.wait(10)
    assert file.exists()
    with Served(file, ipc) as served:
        entries = served.ask("memory_list").details["entries"]
    assert [(entry["content"], entry["count"]) for entry in entries] == [("a seed", 1)]
    sound(file)
