"""What the memory's process costs: until it is ready, and how much stays resident."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.memory_ipc import Client, make_run, program, serving, until_there
from bench.memory_speed import memory_of
from bench.memory_text import Author, questions
from bench.proc import memory_mib
from bench.report import Row, p50
from sympozium_memory.store import Memory
from sympozium_protocol import layout
from sympozium_protocol.messages import ParticipantSpec, ToolSpec
from tests.support.labelled import memos
from tests.support.scratch import make_ipc, run_spec

ROUNDS = 15
IN_USE = 100
"""Searches, and stores, after which a memory in use is looked at."""


def until_ready(path: Path) -> list[float]:
    """Milliseconds from the start of the program to its manifest, for a memory of 500."""
    file = path / "ready.db"
    with Memory.open(file) as memory:
        for memo in memos():
            memory.submit(memo.content, tags=memo.tags)
    found = []
    for number in range(ROUNDS):
        run = make_run(path, f"ready{number}")
        env = {"SYMPOZIUM_IPC": str(run), "SYMPOZIUM_PARTICIPANT": "memory", "SYMPOZIUM_MEMORY": str(file)}
        found.append(_to_manifest("sympozium-memory", env, run, "memory"))
    return found


def skill_until_ready(path: Path) -> list[float]:
    """The same of the skill sidecar."""
    tools = (ToolSpec(name="execute_command"),)
    (path / "pack").mkdir()
    (path / "pack/pack.yaml").write_text(json.dumps({"name": "ops", "sidecar": {"commands": ["true"]}}))
    found = []
    for number in range(ROUNDS):
        run = path / f"skill{number}"
        make_ipc(run, run_spec(ParticipantSpec(name="ops", role="skill", tools=tools, commands=("true",))))
        env = {
            "SYMPOZIUM_IPC": str(run),
            "SYMPOZIUM_PARTICIPANT": "ops",
            "SYMPOZIUM_PACK": str(path / "pack"),
            "SYMPOZIUM_WORKSPACE": str(path),
        }
        found.append(_to_manifest("sympozium-skill", env, run, "ops"))
    return found


def _to_manifest(name: str, env: dict[str, str], run: Path, participant: str) -> float:
    begin = time.perf_counter()
    with program(name, env):
        until_there(run.joinpath(*layout.tools(participant), "1.json"))
        return (time.perf_counter() - begin) * 1e3


def bare() -> list[float]:
    """Milliseconds of a Python that does nothing."""
    found = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        found.append((time.perf_counter() - begin) * 1e3)
    return found


async def resident(path: Path) -> dict[str, float]:
    """MiB of a process that serves a memory of 100,000: when it is ready, and in use."""
    file = path / "resident.db"
    shutil.copyfile(memory_of(100_000), file)
    run = make_run(path, "resident")
    with serving(file, [run]) as served:
        client = Client(run)
        await client.call("memory_list", limit=1)
        found = {"ready, Rss": memory_mib(served.pid, "Rss"), "ready, Pss": memory_mib(served.pid, "Pss")}
        author = Author(3)
        for question in questions()[:IN_USE]:
            await client.call("memory_search", query=question)
            await client.call("memory_store", content=author.entry()[0])
        client.close()
        return found | {"in use, Rss": memory_mib(served.pid, "Rss"), "in use, Pss": memory_mib(served.pid, "Pss")}


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        path = Path(name)
        ready, skill, floor = until_ready(path), skill_until_ready(path), bare()
        found = asyncio.run(resident(path))
    return [
        Row("memory: start to ready, p50", p50(ready), "ms", 100.0, p50(floor)),
        Row("  the skill sidecar: start to ready, p50", p50(skill), "ms", None, p50(floor)),
        Row(f"memory: resident after {IN_USE} searches and stores", found["in use, Rss"], "MiB", 40.0),
        *(Row(f"  memory: {what}", mib, "MiB") for what, mib in found.items()),
    ]
