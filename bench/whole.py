"""Whole runs: how long ``sympozium run`` takes with one command, and until a request is on the wire."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.play import SYMPOZIUM, command, environment, start, tool
from bench.report import Row, p50

ROUNDS = 7


def scripted() -> list[float]:
    """Seconds of a run with the scripted model and one command."""
    steps: list[dict[str, object]] = [{"say": "look", "call": [tool("true")]}, {"say": "done"}]
    samples = []
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        for number in range(ROUNDS):
            argv = command(path, steps, name=f"run{number}")
            begin = time.perf_counter()
            code = start(argv, environment(path)).wait(60)
            samples.append(time.perf_counter() - begin)
            if code:
                raise SystemExit(f"the run failed with exit code {code}")
    return samples


def to_the_wire() -> list[float]:
    """Seconds from launch until the first byte of a model request reaches a server on this machine."""
    samples = []
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as server:
        path, port = Path(name), server.getsockname()[1]
        server.settimeout(30)
        for number in range(ROUNDS):
            options = ["--provider", "openai", "--model", "m", "--base-url", f"http://127.0.0.1:{port}/v1", "--quiet"]
            argv = [str(SYMPOZIUM), "run", "hello", *options, "--dir", str(path / f"wire{number}"), "--approve", "none"]
            begin = time.perf_counter()
            run = start(argv, environment(path, OPENAI_API_KEY="none"))
            connection, _ = server.accept()
            connection.recv(1)
            samples.append(time.perf_counter() - begin)
            connection.close()
            run.terminate()
            run.wait(20)
    return samples


def imports(module: str) -> float:
    """Seconds until a bare Python has imported ``module``."""
    samples = []
    for _ in range(5):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {module}"], check=True, env=dict(os.environ))
        samples.append(time.perf_counter() - begin)
    return p50(samples)


def rows() -> list[Row]:
    return [
        Row("sympozium run, scripted, one command: wall, p50", p50(scripted()), "s", 1.0, imports("pydantic, asyncio")),
        Row("launch to the first model request (openai), p50", p50(to_the_wire()), "s", 0.9, imports("openai")),
    ]
