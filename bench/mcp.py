"""A call of an MCP server's tool: through the real gate and the bridge, against the mcp package alone."""

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

from bench.floor import rename_and_notify
from bench.report import Row, p50, p95
from sympozium_protocol import layout
from sympozium_protocol.files import Directory, open_root
from sympozium_protocol.messages import Call, ModelSpec, ParticipantSpec, PolicySpec, Reply, RunSpec, ToolSpec
from sympozium_protocol.messages.servers import ServerSpec
from sympozium_protocol.waiting import Watch, until

ROUNDS = 300
SERVER = """
from mcp.server import MCPServer
server = MCPServer("bench")
@server.tool()
def echo(text: str) -> str:
    return text
server.run()
"""


def spec_of(script: Path) -> RunSpec:
    return RunSpec(
        run="bench",
        agent="bench",
        created="2026-01-01T00:00:00Z",
        input="x",
        model=ModelSpec(provider="scripted", model="m"),
        participants=(
            ParticipantSpec(name="mcp", role="mcp", prefixes=("b_",), tools=(ToolSpec(name="b_echo", effect="read"),)),
        ),
        policies=(PolicySpec(name="permissive", template="Permissive"),),
        servers=(ServerSpec(name="b", prefix="b_", transport="stdio", command=(sys.executable, str(script))),),
    )


@contextmanager
def gate_and_bridge(root: Path, script: Path) -> Iterator[None]:
    """The two programs over a scratch ipc directory."""
    for place in layout.places(("mcp",)):
        root.joinpath("ipc", *place).mkdir(parents=True, exist_ok=True)
    (root / "ipc/run/run.json").write_bytes(spec_of(script).encode())
    env = {
        "PATH": os.environ["PATH"],
        "SYMPOZIUM_IPC": str(root / "ipc"),
        "SYMPOZIUM_PARTICIPANT": "mcp",
        "SYMPOZIUM_WORKSPACE": str(root),
    }
    programs = [
        subprocess.Popen([Path(sys.executable).with_name(name)], env=env, stderr=subprocess.DEVNULL)
        for name in ("sympozium-bridge", "sympozium-mcp")
    ]
    try:
        yield
    finally:
        for program in programs:
            program.terminate()
            program.wait(10)


async def bridged(root: Path, script: Path) -> tuple[float, list[float]]:
    """Milliseconds until the manifest is there, and per call."""
    begin = time.perf_counter()
    with gate_and_bridge(root, script):
        ipc = open_root(root / "ipc")
        watch = Watch()
        tools, replies = ipc.open(layout.tools("mcp")), ipc.open(layout.replies("mcp"))
        calls = ipc.open(layout.calls("mcp"))
        watch.add(tools)
        watch.add(replies)
        await until(lambda: tools.read("1.json"), watch)
        ready = (time.perf_counter() - begin) * 1e3
        found = [await _call(calls, replies, watch, number) for number in range(ROUNDS)]
        watch.close()
    return ready, found


async def _call(calls: Directory, replies: Directory, watch: Watch, number: int) -> float:
    call = Call(id=f"{number + 1}-1", participant="mcp", tool="b_echo", arguments={"text": "hello"})
    begin = time.perf_counter()
    calls.write(f"{call.id}.json", call.encode())
    data = await until(lambda: replies.read(f"{call.id}.json"), watch)
    took = (time.perf_counter() - begin) * 1e3
    reply = Reply.decode(data)
    assert reply.outcome == "ok", reply
    return took


async def direct(script: Path) -> tuple[float, list[float]]:
    """The same with the mcp package and nothing else: milliseconds until the tools are listed, and per call."""
    begin = time.perf_counter()
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters

    async with Client(StdioServerParameters(command=sys.executable, args=[str(script)])) as client:
        await client.list_tools()
        ready = (time.perf_counter() - begin) * 1e3
        found = []
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            await client.call_tool("echo", {"text": "hello"})
            found.append((time.perf_counter() - begin) * 1e3)
    return ready, found


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as path:
        script = Path(path) / "server.py"
        script.write_text(SERVER)
        floor_ready, floor = asyncio.run(direct(script))
        ready, calls = asyncio.run(bridged(Path(path), script))
    rename = p50(asyncio.run(rename_and_notify()))
    return [
        Row("MCP: until the tools are known", ready, "ms", None, floor_ready),
        Row("MCP: a bridged call, p50", p50(calls), "ms", None, p50(floor)),
        Row("MCP: a bridged call, p95", p95(calls), "ms", None, p95(floor)),
        Row("MCP: what the gate and the bridge add to a call, p50", p50(calls) - p50(floor), "ms", 3.0, rename),
    ]
