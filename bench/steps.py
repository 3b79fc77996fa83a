"""Does a step cost the same at any length? A run of a thousand steps, and showing it."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

from bench.play import SYMPOZIUM, command, environment, start, tool
from bench.report import Row

STEPS = 1000
WINDOW = 20


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        objects = path / "long.yaml"
        objects.write_text(LONG)
        steps: list[dict[str, object]] = [
            {"say": "again", "call": [tool("date +%N")], "repeat": STEPS},
            {"say": "done"},
        ]
        options = ("-f", str(objects), "--timeout", "30m")
        argv = [word for word in command(path, steps, *options) if word != "measure"]
        if code := start(argv, environment(path)).wait(1200):
            raise SystemExit(f"the run failed with exit code {code}")
        ipc = path / "run/ipc"
        begin = time.perf_counter()
        shown = subprocess.run(
            [str(SYMPOZIUM), "runs", "show", str(path / "run")],
            stdout=subprocess.DEVNULL,
            env=environment(path),
            check=True,
        )
        took = time.perf_counter() - begin
        assert shown.returncode == 0
        early, late = _milliseconds(ipc, 10), _milliseconds(ipc, STEPS - WINDOW)
        return [
            Row("step 1,000: time", late, "ms", 2 * early, early),
            Row("step 1,000: bytes written", _bytes(ipc, STEPS - 1), "B", 2 * _bytes(ipc, 10), _bytes(ipc, 10)),
            Row(f"runs show of {2 * STEPS + 4} messages", took, "s", 2.0),
        ]


LONG = """
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumInstance
metadata: {name: long}
spec:
  provider: {name: scripted, model: bench}
  limits: {steps: 0, calls: 5000, timeout: 30m}
  policy: permissive
---
apiVersion: sympozium.ai/v1alpha1
kind: AgentRun
metadata: {name: long}
spec: {instanceRef: long, input: measure}
"""


def _milliseconds(ipc: Path, step: int) -> float:
    """Mean time of the steps from ``step`` on: message 4 + 2·n begins step n."""
    first, last = (os.stat(ipc / f"agent/transcript/{4 + 2 * n}.json").st_mtime for n in (step, step + WINDOW - 1))
    return (last - first) / (WINDOW - 1) * 1e3


def _bytes(ipc: Path, step: int) -> float:
    """Bytes of every file that belongs to this step: its messages, calls, verdicts, started, replies."""
    seq = 4 + 2 * step
    ids = (f"{seq}-1", f"m{seq}-1")
    found = [p for p in ipc.rglob("*") if p.is_file() and p.name.removesuffix(".json") in ids]
    messages = [ipc / f"agent/transcript/{n}.json" for n in (seq, seq + 1)]
    return float(sum(p.stat().st_size for p in (*found, *messages)))
