"""A server of agents as a real process, on a free port of loopback."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.scratch import soon

PROGRAM = Path(sys.executable).with_name("sympozium")
TOKEN = "a-token-for-tests"
HEAD = {"apiVersion": "sympozium.ai/v1alpha1"}


def instance(name: str, *steps: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """An agent that plays these steps."""
    provider = {"name": "scripted", "options": {"script": {"steps": steps}}}
    return {
        **HEAD,
        "kind": "SympoziumInstance",
        "metadata": {"name": name},
        "spec": {"provider": provider, "policy": "permissive", **spec},
    }


def waits_for(path: Path) -> dict[str, Any]:
    """A step that ends when ``path`` is there."""
    command = f"until [ -e {path} ]; do sleep 0.05; done"
    return {"call": [{"tool": "execute_command", "arguments": {"command": command}}]}


class Web:
    """The server, its documents and its clients."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.objects = path / "agents.yaml"
        self.process: subprocess.Popen[str] | None = None
        self.url = ""
        self.token = TOKEN

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {**kept, "XDG_STATE_HOME": str(self.path / "state"), "LANG": "C.UTF-8"}

    def write(self, *documents: dict[str, Any]) -> None:
        self.objects.write_text("---\n".join(json.dumps(found) + "\n" for found in documents))

    def command(self, *options: str) -> list[str]:
        return [str(PROGRAM), "serve-agent", "-f", str(self.objects), "--port", "0", *options]

    def start(self, *options: str, changed: str = "", **environment: str) -> None:
        """Start it, and wait until it says where it listens. ``changed``: Python that runs in it first."""
        self.log = self.path / "log"
        command = self.command(*options)
        if changed:
            source = f"{changed}\nfrom sympozium_web.__main__ import main\nmain()"
            command = [sys.executable, "-c", source, *command[2:]]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                env={**self.environment, "SYMPOZIUM_WEB_TOKEN": self.token, **environment},
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        said = soon(
            lambda: re.search(r"at (http://\S+)/v1", self.log.read_text()), "it says where it listens", within=120
        )
        self.url = said.group(1)

    def client(self, **headers: str) -> httpx2.Client:
        token = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return httpx2.Client(base_url=self.url, headers={**token, **headers}, timeout=60)

    def ask(self, model: str, text: str = "hello", **more: Any) -> httpx2.Response:
        body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
        with self.client() as client:
            return client.post("/v1/chat/completions", json=body)

    def connection(self, sent: bytes = b"") -> socket.socket:
        """A connection on which these bytes were sent."""
        host, port = self.url.removeprefix("http://").split(":")
        made = socket.create_connection((host, int(port)), timeout=60)
        made.sendall(sent)
        return made

    def head(self, method: str = "POST", path: str = "/v1/chat/completions", *headers: str) -> bytes:
        """The head of a request with the token."""
        lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"authorization: Bearer {self.token}"]
        return "\r\n".join([*lines, "content-type: application/json", *headers, "", ""]).encode()

    def client_process(self, model: str, **more: Any) -> subprocess.Popen[bytes]:
        """A client of its own, which can be killed."""
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}], **more}
        source = (
            f"import httpx2; httpx2.post({self.url!r} + '/v1/chat/completions', json={body!r}, timeout=60,"
            f" headers={{'authorization': 'Bearer {self.token}'}})"
        )
        return subprocess.Popen([sys.executable, "-c", source], stderr=subprocess.DEVNULL)

    def at_work(self) -> bool:
        """Has the newest run asked its skill for something?"""
        return bool(self.runs and list(self.runs[-1].glob("ipc/shell/started/*")))

    @property
    def runs(self) -> list[Path]:
        return sorted((self.path / "state/sympozium/runs").glob("web-*"))

    def left(self) -> list[str]:
        """Programs of this server's runs that still run."""
        found = []
        for name in filter(str.isdecimal, os.listdir("/proc")):
            try:
                environment = Path("/proc", name, "environ").read_bytes()
                state = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()[0]
                command = Path("/proc", name, "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if b"SYMPOZIUM_IPC=" + str(self.path).encode() in environment and state not in "ZX":
                found.append(command)
        return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    made = Web(tmp_path)
    yield made
    if made.process and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """One server for tests that leave it as it is."""
    made = Web(tmp_path_factory.mktemp("web"))
    command = {"tool": "execute_command", "arguments": {"command": "echo seen"}, "save": "r"}
    made.write(
        instance("echo", {"say": "${input}"}),
        instance("looks", {"say": "I look.", "call": [command]}, {"say": "It says ${r}."}),
        instance("fails", {"failure": "context_too_long", "say": "too much"}),
        instance("down", {"failure": "unavailable", "say": "the provider is down"}),
    )
    made.start("--expose-tools")
    yield made
    made.stop()
