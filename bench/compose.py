"""A run in containers, beside the same containers that do nothing but write one file each."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.play import SYMPOZIUM, command, environment, start, tool
from bench.report import Row, p50
from sympozium_cli.rundir import RunDirectory
from sympozium_protocol import layout

ROUNDS = 5
CALLS = 40
ON = ("--on", "compose")


def soon(found: Callable[[], object], what: str) -> None:
    """Look every millisecond, for a minute at most."""
    ends = time.monotonic() + 60
    while not found():
        if time.monotonic() > ends:
            raise SystemExit(f"{what}: not within a minute")
        time.sleep(0.001)


def floors() -> tuple[float, float]:
    """Seconds until every container has written its file, and until all of it is gone again."""
    written, gone = [], []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        program = subprocess.Popen(
            [sys.executable, "-m", "bench.compose_floor"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        assert program.stdout is not None
        if program.stdout.readline() != b"written\n":
            raise SystemExit("the floor could not be measured")
        written.append(time.perf_counter() - begin)
        if program.wait(60):
            raise SystemExit("the floor could not be measured")
        gone.append(time.perf_counter() - begin)
    return p50(written), p50(gone)


def to_the_model(path: Path) -> float:
    """Seconds from launch until the model gateway has begun with the first request, scripted."""
    samples = []
    for number in range(ROUNDS):
        argv = [*command(path, [{"say": "done"}], name=f"first{number}"), *ON]
        begin = time.perf_counter()
        run = start(argv, environment(path))
        place = path / f"first{number}" / "volumes" / layout.volume(("model",)) / "started"
        soon(lambda place=place: place.is_dir() and any(not n.startswith(".") for n in os.listdir(place)), "request")
        samples.append(time.perf_counter() - begin)
        finish(run)
    return p50(samples)


def to_the_wire(path: Path) -> float:
    """Seconds from launch until the first byte of a request, through the openai SDK, reaches this machine."""
    samples = []
    with socket.create_server(("0.0.0.0", 0)) as server:
        server.settimeout(60)
        url = f"http://host.docker.internal:{server.getsockname()[1]}/v1"
        for number in range(ROUNDS):
            options = ["--provider", "openai", "--model", "m", "--base-url", url, "--quiet", *ON]
            argv = [str(SYMPOZIUM), "run", "hello", *options, "--dir", str(path / f"wire{number}"), "--approve", "none"]
            begin = time.perf_counter()
            run = start(argv, environment(path, OPENAI_API_KEY="none"))
            connection, _ = server.accept()
            connection.recv(1)
            samples.append(time.perf_counter() - begin)
            connection.close()
            run.terminate()
            run.wait(60)
    return p50(samples)


def whole(path: Path) -> float:
    """Seconds of a run with the scripted model and one command, everything gone afterwards."""
    steps: list[dict[str, object]] = [{"say": "look", "call": [tool("uname")]}, {"say": "done"}]
    samples = []
    for number in range(ROUNDS):
        argv = [*command(path, steps, name=f"whole{number}"), *ON]
        begin = time.perf_counter()
        finish(start(argv, environment(path)))
        samples.append(time.perf_counter() - begin)
    return p50(samples)


def through_compose(path: Path) -> float:
    """The same run by ``docker compose up``, from the rendered file; its removal is not in it."""
    script = path / "script.yaml"
    steps: list[dict[str, object]] = [{"say": "look", "call": [tool("uname")]}, {"say": "done"}]
    script.write_text(json.dumps({"steps": steps}))
    samples = []
    for number in range(3):
        words = ["x", "--policy", "permissive", "--script", str(script), "--name", f"bench-{number}"]
        text = subprocess.run([str(SYMPOZIUM), "render", "compose", *words], capture_output=True, check=True).stdout
        compose = ["docker", "compose", "-f", "-"]
        begin = time.perf_counter()
        subprocess.run([*compose, "up", "--exit-code-from", "agent"], input=text, capture_output=True, check=True)
        samples.append(time.perf_counter() - begin)
        subprocess.run([*compose, "down", "--volumes"], input=text, capture_output=True, check=True)
    return p50(samples)


def calls(path: Path, name: str, on: tuple[str, ...]) -> float:
    """Seconds of one of many calls in a run: Call written to Reply written, p50."""
    steps: list[dict[str, object]] = [{"say": str(n), "call": [tool(f"sleep 0.00{n}")]} for n in range(CALLS)]
    finish(start([*command(path, [*steps, {"say": "done"}], name=name), *on], environment(path)))
    with RunDirectory(path / name).open_ipc() as ipc:
        asked, answered = ipc.open(layout.calls("shell")), ipc.open(layout.replies("shell"))
        spans = [(answered.touched(one) or 0) - (asked.touched(one) or 0) for one in asked.names()]
    assert len(spans) == CALLS
    return p50([span / 1e9 for span in spans])


def memory(path: Path) -> Iterator[Row]:
    """What the containers of a run hold while a command waits, without what the page cache could give back."""
    argv = [*command(path, [{"say": "wait", "call": [tool("sleep 600")]}, {"say": "done"}], name="memory"), *ON]
    run = start(argv, environment(path))
    place = path / "memory" / "volumes" / layout.volume(("shell",)) / "started"
    soon(lambda: place.is_dir() and any(not n.startswith(".") for n in os.listdir(place)), "command")
    import docker

    client = docker.from_env()
    total = 0.0
    for container in client.containers.list(filters={"label": f"ai.sympozium.directory={path / 'memory'}"}):
        found = container.stats(stream=False)["memory_stats"]
        held = (found["usage"] - found.get("stats", {}).get("inactive_file", 0)) / (1 << 20)
        total += held
        yield Row(f"  {container.labels['ai.sympozium.program']}: memory", held, "MiB")
    run.terminate()
    run.wait(60)
    yield Row("the pod with one skill: memory of its containers", total, "MiB")


def finish(run: subprocess.Popen[bytes]) -> None:
    code = run.wait(120)
    if code:
        raise SystemExit(f"the run failed with exit code {code}")


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        written, gone = floors()
        yield Row("launch to the first model request, scripted, p50", to_the_model(path), "s", written + 0.3, written)
        yield Row("launch to the first model request (openai), p50", to_the_wire(path), "s", written + 0.3, written)
        yield Row("a whole run with one command, p50", whole(path), "s", gone + 0.5, gone)
        yield Row("the same by docker compose up, without its removal", through_compose(path), "s")
        processes = calls(path, "processes", ())
        contained = calls(path, "containers", ON)
        yield Row("a call in containers, p50", contained * 1e3, "ms", processes * 1.3e3, processes * 1e3)
        yield from memory(path)
