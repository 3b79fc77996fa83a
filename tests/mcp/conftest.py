"""The bridge as a process over a scratch run, and what the agent and the gate do to it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sympozium_protocol.files import open_root
from sympozium_protocol.messages import Manifest, ParticipantSpec, Reply, TextPart, ToolSpec
from sympozium_protocol.messages.servers import ServerSpec
from tests.support.ipc import (
    make_ipc,
    run_spec,
    send,
    wait_for,
    wait_manifest,
    wait_reply,
    wait_started,
    withdraw,
)

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
OWN = str(ROOT / "tests/support/mcp_server.py")
RAW = str(ROOT / "tests/support/raw_mcp_server.py")


def text_of(reply: Reply) -> str:
    return "\n".join(part.text for part in reply.content if isinstance(part, TextPart))


class Bridge:
    """One scratch run with MCP servers."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.ipc = base / "ipc"
        self.marks = base / "marks"
        self.log = base / "log"
        self.marks.mkdir()
        self.workspace = base / "workspace"
        self.workspace.mkdir()
        self.process: subprocess.Popen[bytes] | None = None
        self.others: list[subprocess.Popen[bytes]] = []
        self.asked = 0

    def own(self, name: str = "a", *options: str, **fields: Any) -> ServerSpec:
        """The server made with the mcp package, over stdio."""
        command = (sys.executable, OWN, "--marks", str(self.marks), *options)
        return ServerSpec(**{"name": name, "prefix": f"{name}_", "transport": "stdio", "command": command, **fields})

    def raw(self, fault: str, name: str = "b", **fields: Any) -> ServerSpec:
        """The server that does something wrong, which the run does not wait for."""
        command = (sys.executable, RAW, fault, str(self.marks))
        given = {"name": name, "prefix": f"{name}_", "transport": "stdio", "command": command, "required": False}
        return ServerSpec(**{**given, **fields})

    def http(self, name: str = "a", *options: str, **fields: Any) -> ServerSpec:
        """The server made with the mcp package, over HTTP: started here, as it lives elsewhere."""
        port = free_port()
        self.serve_http(port, *options)
        url = f"http://127.0.0.1:{port}/mcp"
        return ServerSpec(**{"name": name, "prefix": f"{name}_", "transport": "http", "url": url, **fields})

    def serve_http(self, port: int, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, OWN, "--marks", str(self.marks), "--http", str(port), *options]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        self.others.append(process)
        wait_for(lambda: connects(port), "a server that listens")
        return process

    def start(self, *servers: ServerSpec, wait: bool = True, effect: tuple[str, ...] = (), **environment: str) -> None:
        prefixes = tuple(server.prefix for server in servers)
        participant = ParticipantSpec(
            name="mcp", role="mcp", prefixes=prefixes, tools=tuple(ToolSpec(name=n, effect="read") for n in effect)
        )
        spec = run_spec("mcp", participants=(participant,), servers=servers)
        self.environment = {
            **os.environ,
            **make_ipc(self.ipc, spec),
            "SYMPOZIUM_WORKSPACE": str(self.workspace),
            **environment,
        }
        self.again(wait=wait)

    def again(self, *, wait: bool = True, number: int = 1) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [BIN / "sympozium-mcp"], env=self.environment, stderr=log, start_new_session=True
            )
        if wait:
            self.manifest(number)

    def manifest(self, number: int = 1) -> Manifest:
        def probe() -> bool | None:
            assert self.process is not None
            assert self.process.poll() is None or self.has(f"mcp/tools/{number}.json"), self.log.read_text()
            return self.has(f"mcp/tools/{number}.json") or None

        wait_for(probe, f"manifest {number}: {self.log.read_text()}", 40)
        return wait_manifest(self.ipc, "mcp", number)

    def names(self, number: int = 1) -> set[str]:
        return {tool.name for tool in self.manifest(number).tools}

    def newest(self) -> set[str]:
        """The names in the manifest that holds."""
        numbers = [int(path.stem) for path in (self.ipc / "mcp/tools").glob("*.json")]
        return self.names(max(numbers)) if numbers else set()

    def offers(self, name: str) -> None:
        wait_for(lambda: name in self.newest() or None, f"tool {name}: {self.said()}")

    def has(self, place: str) -> bool:
        return os.path.lexists(self.ipc / place)

    def ask(self, tool: str, timeout: float | None = None, **arguments: object) -> str:
        """Make a call; its id."""
        self.asked += 1
        send(self.ipc, f"{self.asked}-1", tool, "mcp", timeout, **arguments)
        return f"{self.asked}-1"

    def reply(self, call_id: str) -> Reply:
        return wait_reply(self.ipc, call_id, "mcp")

    def call(self, tool: str, timeout: float | None = None, **arguments: object) -> Reply:
        return self.reply(self.ask(tool, timeout, **arguments))

    def until(self, outcome: str, tool: str, **arguments: object) -> Reply:
        """Call again and again until it ends so."""

        def probe() -> Reply | None:
            found = self.call(tool, **arguments)
            return found if found.outcome == outcome else None

        return wait_for(probe, f"{tool} to be {outcome}: {self.said()}")

    def started(self, call_id: str) -> None:
        wait_started(self.ipc, call_id, "mcp")

    def withdraw(self, call_id: str) -> None:
        withdraw(self.ipc, call_id, "mcp")

    def blob(self, digest: str) -> bytes:
        data = open_root(self.ipc).open(("mcp", "blobs")).read(digest, 1 << 24)
        assert data is not None
        return data

    def marked(self, name: str) -> None:
        wait_for(lambda: (self.marks / name).exists() or None, f"mark {name}: {self.said()}")

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def events(self, event: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.said().splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == event]

    def heard(self, event: str, **fields: object) -> dict[str, Any]:
        def probe() -> dict[str, Any] | None:
            return next((e for e in self.events(event) if all(e.get(k) == v for k, v in fields.items())), None)

        return wait_for(probe, f"event {event} {fields}")

    def end(self) -> int:
        assert self.process is not None
        return self.process.wait(60)

    def close(self) -> None:
        """End everything: each by itself, for it alone knows what it started, and then what is left of its group."""
        for process in (self.process, *self.others):
            if process is None:
                continue
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def connects(port: int) -> bool | None:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0 or None


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[Bridge]:
    found = Bridge(tmp_path)
    yield found
    found.close()


@pytest.fixture
def words() -> Callable[[Reply], str]:
    return text_of
