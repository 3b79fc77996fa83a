"""What a pod costs while it waits: memory and CPU of every program, and the agent's start."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.play import command, environment, start, tool
from bench.proc import below, cpu_ms, memory_mib
from bench.report import Row

IDLE_SECONDS = 20.0
SETTLE_SECONDS = 8.0


@contextmanager
def waiting_pod(path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A run whose one command sleeps: every program waits."""
    steps: list[dict[str, object]] = [{"say": "wait", "call": [tool("sleep 300")]}, {"say": "done"}]
    run = start(command(path, steps), environment(path))
    try:
        yield run, path / "run/ipc"
    finally:
        run.terminate()
        run.wait(20)


def _until(found) -> None:  # type: ignore[no-untyped-def]
    ends = time.monotonic() + 30
    while not found():
        if time.monotonic() > ends:
            raise SystemExit("the pod did not start")
        time.sleep(0.002)


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as name, waiting_pod(Path(name)) as (run, ipc):
        _until(lambda: (ipc / "agent/calls/model/m4-1.json").exists())
        began = {pid: cpu_ms(pid) for pid, program in below(run.pid).items() if program == "sympozium-agent"}
        _until(lambda: (ipc / "shell/started/4-1").exists())
        found = {pid: program for pid, program in below(run.pid).items() if "sympozium" in program}
        agents = [pid for pid, program in found.items() if program == "sympozium-agent"]
        time.sleep(SETTLE_SECONDS)
        before = {pid: cpu_ms(pid) for pid in (*found, run.pid)}
        time.sleep(IDLE_SECONDS)
        idle = {pid: (cpu_ms(pid) - had) / (IDLE_SECONDS * 10) for pid, had in before.items()}
        pss = {pid: memory_mib(pid, "Pss") for pid in found}
        rss = {pid: memory_mib(pid, "Rss") for pid in found}
        launcher = memory_mib(run.pid, "Pss")
        worst = max((idle[pid], found.get(pid, "sympozium")) for pid in idle)
    agent = max(agents, key=lambda pid: began[pid])
    bare = _bare_python()
    return [
        Row("agent: start to first Call, CPU time", sum(began.values()), "ms", 150.0, bare),
        Row("agent: resident", rss[agent], "MiB", 45.0),
        Row("the pod with one skill: PSS", sum(pss.values()), "MiB", 200.0),
        Row("the launcher: PSS", launcher, "MiB"),
        *(Row(f"  {found[pid]}: PSS", pss[pid], "MiB") for pid in found),
        Row(f"idle CPU of the busiest program ({worst[1]})", worst[0], "%", 0.1),
    ]


def _bare_python() -> float:
    """CPU milliseconds of a Python that only starts and imports asyncio and pydantic: the agent's floor."""
    import resource
    import sys

    def used() -> float:
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (spent.ru_utime + spent.ru_stime) * 1e3

    samples = []
    for _ in range(5):
        before = used()
        subprocess.run([sys.executable, "-c", "import gc; gc.disable(); import asyncio, pydantic"], check=True)
        samples.append(used() - before)
    return sorted(samples)[2]
