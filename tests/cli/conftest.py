"""An installation of the command whose programs are small stand-ins, and ways to run it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")
REAL = Path(sys.executable).parent
HEAD = f"""#!{sys.executable}
import json, os, signal, sys, time
from pathlib import Path
from typing import TypeVar
from sympozium_protocol.process import die_with_parent
die_with_parent()
IPC = Path(os.environ["SYMPOZIUM_IPC"])
NAME = os.environ["SYMPOZIUM_PARTICIPANT"]
SPEC = json.loads((IPC / "run/run.json").read_text())
DIR = IPC.parent
def say(name, value, place="agent"):
    path = IPC / place / name
    aside = path.with_name("." + path.name)
    aside.write_text(json.dumps(value))
    aside.rename(path)
T = "2026-01-01T00:00:00.000Z"
def message(seq, role, **more):
    say(f"transcript/{{seq}}.json", {{"kind": "Message", "seq": seq, "time": T, "role": role, **more}})
def result(text, reason="Completed", phase="Succeeded", **more):
    import hashlib
    data = text.encode()
    named = {{"outputDigest": hashlib.sha256(data).hexdigest()}} if data else {{}}
    say("result.json", {{"kind": "RunResult", "run": SPEC["run"], "phase": phase, "reason": reason, "output": text,
        "outputSize": len(data), **named, "startTime": T, "completionTime": T, **more}})
def wait(probe):
    while not (found := probe()):
        time.sleep(0.01)
    return found
def idle():
    (DIR / f"pid-{{NAME}}").write_text(str(os.getpid()))
    while True:
        signal.pause()
"""
IDLE = "idle()\n"
ANSWERS = 'message(1, "assistant", call="m1-1", text="forty-two")\nresult("forty-two")\n'

SKILL = """
apiVersion: sympozium.ai/v1alpha1
kind: SkillPack
metadata: {name: ops}
spec:
  category: Test
  description: a skill
  instructions: use it
  sidecar: {commands: [touch]}
"""
INSTANCE = """
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumInstance
metadata: {name: tester}
spec:
  provider: {name: scripted, options: {script: {steps: [{say: hello}]}}}
  skills: [ops]
"""


class Installation:
    """A directory like a virtual environment's, with stand-ins for the programs of a pod."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / "state"
        venv = root / "venv"
        (venv / "bin").mkdir(parents=True)
        (venv / "pyvenv.cfg").write_text((REAL.parent / "pyvenv.cfg").read_text())
        (venv / "lib").symlink_to(REAL.parent / "lib")
        (venv / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
        self.bin = venv / "bin"
        for name in ("agent", "bridge", "model", "skill"):
            self.program(name, ANSWERS if name == "agent" else IDLE)
        self.objects = root / "objects.yaml"
        self.objects.write_text(f"{INSTANCE}---{SKILL}")

    def program(self, name: str, source: str) -> None:
        path = self.bin / f"sympozium-{name}"
        path.write_text(HEAD + source)
        path.chmod(0o755)

    def real(self, name: str) -> None:
        path = self.bin / f"sympozium-{name}"
        path.unlink()
        path.symlink_to(REAL / path.name)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {**kept, "XDG_STATE_HOME": str(self.state), "LANG": "C.UTF-8"}

    def command(self, *arguments: str) -> list[str]:
        return [str(self.bin / "python"), "-m", "sympozium_cli", *arguments]

    def __call__(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env={**self.environment, **env},
            cwd=self.root,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return self("run", "do it", "-f", str(self.objects), "--dir", str(self.directory), *arguments, **env)

    def started(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        command = self.command("run", "do it", "-f", str(self.objects), "--dir", str(self.directory), *arguments)
        return subprocess.Popen(
            command,
            env={**self.environment, **env},
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def directory(self) -> Path:
        return self.root / "the-run"

    def pid(self, name: str) -> int:
        """The process id that an idle stand-in has left."""
        return int(until(lambda: _text(self.directory / f"pid-{name}")))

    def left(self) -> list[int]:
        """Processes that still have to do with the run (they have its directory in their environment)."""
        found = []
        for name in filter(str.isdecimal, os.listdir("/proc")):
            try:
                environment = Path("/proc", name, "environ").read_bytes()
                state = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if str(self.directory).encode() in environment and state not in "ZX":
                found.append(int(name))
        return found


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def until(probe: Callable[[], T], within: float = 30.0) -> T:
    """What ``probe`` finds. Fails when it finds nothing in time."""
    ends = time.monotonic() + within
    while not (found := probe()):
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.01)
    return found


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., object]:
    return until


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path)
    yield made
    for pid in made.left():
        os.kill(pid, signal.SIGKILL)
