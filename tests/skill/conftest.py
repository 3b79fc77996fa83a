"""A skill sidecar as a real process over a scratch ipc directory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sympozium_protocol.messages import BlobPart, ParticipantSpec, Reply, Started, TextPart, ToolSpec
from tests.support.scratch import make_ipc, run_spec, soon


class Sidecar:
    """One skill and its run."""

    name = "ops"

    def __init__(self, path: Path, pack: dict[str, object], effects: dict[str, str], env: dict[str, str]) -> None:
        self.path = path
        self.workspace = path / "workspace"
        self.workspace.mkdir()
        self.pack = path / "pack"
        self.pack.mkdir()
        (self.pack / "pack.yaml").write_text(json.dumps({"name": self.name, **pack}))
        sidecar = pack["sidecar"]
        assert isinstance(sidecar, dict)
        names = ["execute_command"] if "commands" in sidecar else []
        names += [tool["name"] for tool in sidecar.get("tools", ())]
        tools = tuple(ToolSpec(name=name, effect=effects.get(name, "write")) for name in names)  # type: ignore[arg-type]
        spec = run_spec(ParticipantSpec(name=self.name, role="skill", tools=tools), run=f"r{uuid.uuid4().hex}")
        self.ipc = make_ipc(path / "ipc", spec)
        self.env = env
        self.process: subprocess.Popen[bytes] | None = None
        self.mark = f"{spec.run}/{self.name}/"

    def start(self, **env: str) -> None:
        settings = {
            "SYMPOZIUM_IPC": str(self.path / "ipc"),
            "SYMPOZIUM_PARTICIPANT": self.name,
            "SYMPOZIUM_WORKSPACE": str(self.workspace),
            "SYMPOZIUM_PACK": str(self.pack),
        }
        (self.path / "tmp").mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sympozium_skill"],
            env={"PATH": os.environ["PATH"], "TMPDIR": str(self.path / "tmp"), **settings, **self.env, **env},
            stderr=subprocess.PIPE,
        )

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        code, self.process = self.process.returncode, None
        return code

    def send(self, call_id: str, command: str, *, timeout: float | None = None, **arguments: object) -> None:
        self.ipc.send(call_id, self.name, "execute_command", timeout=timeout, command=command, **arguments)

    def run(self, command: str, **more: object) -> Reply:
        call_id = f"c{uuid.uuid4().hex}"
        self.send(call_id, command, **more)  # type: ignore[arg-type]
        return self.reply(call_id)

    def call(self, tool: str, **arguments: object) -> Reply:
        call_id = f"c{uuid.uuid4().hex}"
        self.ipc.send(call_id, self.name, tool, **arguments)  # type: ignore[arg-type]
        return self.reply(call_id)

    def reply(self, call_id: str) -> Reply:
        return soon(lambda: self._alive() and self.ipc.reply(call_id, self.name), f"reply to {call_id}")

    def _alive(self) -> bool:
        if self.process is None or self.process.poll() is None:
            return True
        _, errors = self.process.communicate()
        raise AssertionError(f"the sidecar ended ({self.process.returncode}): {errors.decode()}")

    def started(self, call_id: str) -> Started:
        return soon(lambda: self.ipc.started(call_id, self.name), f"start of {call_id}")

    def file(self, name: str) -> str:
        """The text of a file in the workspace, once it has any."""
        path = self.workspace / name
        return soon(lambda: self._alive() and path.exists() and path.read_text(), name)

    def blob(self, reply: Reply) -> bytes:
        part = next(part for part in reply.content if isinstance(part, BlobPart))
        return self.ipc.blob(part.digest, self.name)

    def living(self) -> list[int]:
        """Every process that bears the mark of a call of this run."""
        return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and self._marked(pid)]

    def _marked(self, pid: str) -> bool:
        try:
            return f"SYMPOZIUM_CALL={self.mark}".encode() in Path("/proc", pid, "environ").read_bytes()
        except OSError:
            return False


def text_of(reply: Reply) -> str:
    return "".join(part.text for part in reply.content if isinstance(part, TextPart))


def gone(pid: int) -> bool:
    """Is it dead? One that nobody has waited for yet is."""
    try:
        text = Path("/proc", str(pid), "stat").read_text()
    except OSError:
        return True
    return text.rpartition(")")[2].split()[0] == "Z"


Make = Callable[..., Sidecar]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes sidecars, started unless told otherwise; ends them, and checks that nothing of them is left."""
    made: list[Sidecar] = []

    def one(
        commands: list[str] | None = None,
        tools: list[dict[str, object]] | None = None,
        *,
        effects: dict[str, str] | None = None,
        env: dict[str, str] | None = None,
        start: bool = True,
    ) -> Sidecar:
        sidecar: dict[str, object] = {} if commands is None else {"commands": commands}
        found = Sidecar(tmp_path, {"sidecar": {**sidecar, "tools": tools or []}}, effects or {}, env or {})
        made.append(found)
        if start:
            found.start()
        return found

    yield one
    for sidecar in made:
        if sidecar.process is not None and sidecar.process.poll() is None:
            sidecar.stop()
        left = sidecar.living()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not left
