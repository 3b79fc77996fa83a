"""Many runs at once, through one process and through several on the same file."""

from __future__ import annotations

import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from sympozium_memory.store import Memory
from sympozium_protocol.messages import Reply
from tests.support.ipc import send, wait_for, wait_reply, wait_started
from tests.support.memory import Served, memory_ipc

RUNS = 4
CLIENTS = 8
STORES = 200
SEARCHERS = 4
SHARED = 10
"""Every so manieth store is of content that all clients store."""


def content(client: int, number: int) -> str:
    if number % SHARED == 0:
        return f"shared fact {number} about the gateway"
    return f"fact {number} of client{client} about the gateway"


def storing(ipc: Path, client: int) -> list[Reply]:
    found = []
    for number in range(STORES):
        call = f"{number + 1}-{client + 1}"
        send(ipc, call, "memory_store", "memory", content=content(client, number), tags=[f"c{client}"])
        found.append(wait_reply(ipc, call, "memory"))
    return found


def searching(ipc: Path, searcher: int) -> list[Reply]:
    found = []
    for number in range(STORES // 2):
        call = f"{number + 1}-{CLIENTS + searcher + 1}"
        send(ipc, call, "memory_search", "memory", query=f"what about fact {number} of client{searcher}")
        found.append(wait_reply(ipc, call, "memory"))
    return found


@pytest.mark.parametrize("processes", [1, 4])
def test_eight_clients_store_beside_four_searching_and_nothing_is_lost_or_doubled(
    tmp_path: Path, processes: int
) -> None:
    file = tmp_path / "memory.db"
    ipcs = [tmp_path / f"ipc{number}" for number in range(RUNS)]
    for number, ipc in enumerate(ipcs):
        memory_ipc(ipc, run=f"run-{number}", seeds=("a seed of all",))
    with ExitStack() as stack:
        for number in range(processes):
            stack.enter_context(Served(file, *ipcs[number::processes])).ready()
        with ThreadPoolExecutor(CLIENTS + SEARCHERS) as pool:
            stores = [pool.submit(storing, ipcs[client % RUNS], client) for client in range(CLIENTS)]
            searches = [pool.submit(searching, ipcs[number], number) for number in range(SEARCHERS)]
            replies = [reply for done in (*stores, *searches) for reply in done.result()]
    assert Counter(reply.outcome for reply in replies) == {"ok": len(replies)}
    with Memory.open(file) as memory:
        assert memory.check() == ()
        found = {entry.content: entry.count for entry in memory.list(limit=10_000)}
    expected = Counter(content(client, number) for client in range(CLIENTS) for number in range(STORES))
    assert found == {**expected, "a seed of all": 1}


def test_a_process_that_is_stopped_or_killed_while_it_holds_the_lock_holds_others_up_no_longer_than_it_lives(
    tmp_path: Path,
) -> None:
    file = tmp_path / "memory.db"
    for number in range(2):
        memory_ipc(tmp_path / f"ipc{number}", run=f"run-{number}")
    died = tmp_path / "died"
    with (
        Served(file, tmp_path / "ipc0", SYMPOZIUM_FAILPOINT=f"memory-written#2@{died}") as one,
        Served(file, tmp_path / "ipc1") as other,
    ):
        one.ready().ask("memory_store", content="before")
        other.ready()
        send(tmp_path / "ipc0", "50-1", "memory_store", "memory", content="never acknowledged")
        wait_for(lambda: died.exists() or None, "death")
        assert other.ask("memory_store", content="after").outcome == "ok"
        assert one.process.wait(10) == -signal.SIGKILL
        found = [entry["content"] for entry in other.ask("memory_list").details["entries"]]
        assert found == ["after", "before"]


def test_a_process_that_is_frozen_by_the_system_holds_up_no_search_of_another(tmp_path: Path) -> None:
    file = tmp_path / "memory.db"
    for number in range(2):
        memory_ipc(tmp_path / f"ipc{number}", run=f"run-{number}")
    with Served(file, tmp_path / "ipc0") as one, Served(file, tmp_path / "ipc1") as other:
        one.ready().ask("memory_store", content="before")
        other.ready()
        os.kill(one.process.pid, signal.SIGSTOP)
        assert "before" in other.text("memory_search", query="before")
        os.kill(one.process.pid, signal.SIGCONT)
        send(tmp_path / "ipc0", "50-1", "memory_store", "memory", content="goes on")
        wait_started(tmp_path / "ipc0", "50-1", "memory")
        assert wait_reply(tmp_path / "ipc0", "50-1", "memory").outcome == "ok"
