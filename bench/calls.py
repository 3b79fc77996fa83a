"""A call, whole: Call written to Reply read, through the real gate and the real skill."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.floor import durable_batch, rename_and_notify, spawn
from bench.report import Row, p50, p95
from sympozium_protocol import layout
from sympozium_protocol.files import open_root
from sympozium_protocol.messages import (
    Call,
    ModelSpec,
    ParticipantSpec,
    PolicySpec,
    Reply,
    RunSpec,
    ToolSpec,
)
from sympozium_protocol.waiting import Watch, until

ROUNDS = 200
PACK = """
name: bench
description: starts true
sidecar:
  commands: ["true"]
  tools:
    - {name: look, description: reads, effect: read, argv: ["/bin/true"], parameters: {type: object}}
    - {name: put, description: writes, effect: write, argv: ["/bin/true"], parameters: {type: object}}
"""
SPEC = RunSpec(
    run="bench",
    agent="bench",
    created="2026-01-01T00:00:00Z",
    input="x",
    model=ModelSpec(provider="scripted", model="m"),
    participants=(
        ParticipantSpec(
            name="bench",
            role="skill",
            tools=(ToolSpec(name="look", effect="read"), ToolSpec(name="put"), ToolSpec(name="execute_command")),
            commands=("true",),
        ),
    ),
    policies=(PolicySpec(name="permissive", template="Permissive"),),
)


@contextmanager
def gate_and_skill(root: Path, inotify: str) -> Iterator[None]:
    """The two programs over a scratch ipc directory."""
    for place in layout.places(("bench",)):
        root.joinpath("ipc", *place).mkdir(parents=True, exist_ok=True)
    (root / "ipc/run/run.json").write_bytes(SPEC.encode())
    (root / "pack").mkdir()
    (root / "pack/pack.yaml").write_text(PACK)
    (root / "workspace").mkdir()
    env = {
        "PATH": os.environ["PATH"],
        "SYMPOZIUM_IPC": str(root / "ipc"),
        "SYMPOZIUM_PARTICIPANT": "bench",
        "SYMPOZIUM_PACK": str(root / "pack"),
        "SYMPOZIUM_WORKSPACE": str(root / "workspace"),
        "SYMPOZIUM_INOTIFY": inotify,
    }
    programs = [
        subprocess.Popen([Path(sys.executable).with_name(name)], env=env, stderr=subprocess.DEVNULL)
        for name in ("sympozium-bridge", "sympozium-skill")
    ]
    try:
        yield
    finally:
        for program in programs:
            program.terminate()
            program.wait(10)


async def measure(inotify: str = "on") -> dict[str, list[float]]:
    """Milliseconds per call, for a tool that reads and one that writes."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as path, gate_and_skill(Path(path), inotify):
        root = open_root(f"{path}/ipc")
        watch = Watch(enabled=inotify == "on")
        tools, replies = root.open(layout.tools("bench")), root.open(layout.replies("bench"))
        calls = root.open(layout.calls("bench"))
        watch.add(tools)
        watch.add(replies)
        await until(lambda: tools.read("1.json"), watch)
        found = {tool: [await _call(calls, replies, watch, tool, n) for n in range(ROUNDS)] for tool in ("look", "put")}
        watch.close()
        return found


async def _call(calls, replies, watch, tool: str, number: int) -> float:  # type: ignore[no-untyped-def]
    call = Call(id=f"{tool}-{number}", participant="bench", tool=tool)
    begin = time.perf_counter()
    calls.write(f"{call.id}.json", call.encode())
    data = await until(lambda: replies.read(f"{call.id}.json"), watch)
    took = (time.perf_counter() - begin) * 1e3
    reply = Reply.decode(data)
    assert reply.outcome == "ok", reply
    return took


def rows() -> list[Row]:
    rename, spawned, batch = asyncio.run(rename_and_notify()), spawn(), durable_batch()
    floor, disk = p50(rename) + p50(spawned), p50(batch)
    calls, slow = asyncio.run(measure()), asyncio.run(measure("off"))
    read = p50(calls["look"])
    return [
        Row("rename and notification, there and back, p50", p50(rename), "ms"),
        Row("spawning true, p50", p50(spawned), "ms"),
        Row("one durable batch, p50", disk, "ms"),
        Row("read call, p50", read, "ms", min(4 * floor, 5.0), floor),
        Row("read call, p95", p95(calls["look"]), "ms", None, floor),
        Row("write call, p50", p50(calls["put"]), "ms", read + 2 * disk, floor),
        Row("read call without notification, p50", p50(slow["look"]), "ms", 15.0, floor),
    ]
