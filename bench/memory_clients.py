"""Many runs at one memory: eight that store beside four that search, through one process and through four."""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.memory_ipc import Client, make_run, serving
from bench.memory_text import Author, questions
from bench.report import Row, p50, p99
from sympozium_memory.store import Memory
from tests.support.labelled import memos

STORING, SEARCHING, STORES = 8, 4, 200


async def together(path: Path, processes: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each store and of each search, with the runs spread over so many processes."""
    file = path / "memory.db"
    with Memory.open(file) as memory:
        for memo in memos():
            memory.submit(memo.content, tags=memo.tags)
    runs = [make_run(path, f"run{number}") for number in range(STORING + SEARCHING)]
    with ExitStack() as programs:
        for number in range(processes):
            programs.enter_context(serving(file, runs[number::processes]))
        clients = [Client(run) for run in runs]
        found = await _play(clients)
        for client in clients:
            client.close()
    with Memory.open(file) as memory:
        if memory.count() != len(memos()) + STORING * STORES:
            raise SystemExit(f"{memory.count()} entries are there after all stores")
    return found


async def _play(clients: list[Client]) -> tuple[list[float], list[float]]:
    done = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        searching = [tasks.create_task(_search(client, done)) for client in clients[STORING:]]
        async with asyncio.TaskGroup() as writers:
            storing = [writers.create_task(_store(client, n)) for n, client in enumerate(clients[:STORING])]
        done.set()
    stores = [took for task in storing for took in task.result()]
    return stores, [took for task in searching for took in task.result()]


async def _store(client: Client, number: int) -> list[float]:
    author = Author(number)
    made = [author.entry() for _ in range(STORES)]
    return [await client.call("memory_store", content=content, tags=tags) for content, tags in made]


async def _search(client: Client, done: asyncio.Event) -> list[float]:
    found: list[float] = []
    asked = questions(100)
    while not done.is_set():
        found.append(await client.call("memory_search", query=asked[len(found) % len(asked)]))
    return found


def rows() -> list[Row]:
    found = []
    for processes in (1, 4):
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
            stores, searches = asyncio.run(together(Path(name), processes))
        where = f"memory, 12 clients, {processes} process{'es' if processes > 1 else ''}"
        found += [
            Row(f"{where}: store, p50", p50(stores), "ms"),
            Row(f"{where}: store, p99", p99(stores), "ms", 100.0),
            Row(f"{where}: search, p50", p50(searches), "ms"),
            Row(f"{where}: search, p99", p99(searches), "ms"),
        ]
    return found
