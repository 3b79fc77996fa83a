"""The command as its user has it, on a bus: runs that wait, others that look at them and speak to them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SYMPOZIUM = Path(sys.executable).with_name("sympozium")
WITHIN = 60.0
"""Seconds; only what hangs takes so long."""
ASKS = "echo x >> effects"
"""The command that the built-in policy asks about; it counts itself in the workspace."""
STEPS = [
    {"say": "I write.", "call": [{"tool": "execute_command", "arguments": {"command": ASKS}, "save": "r"}]},
    {"say": "It was ${r.outcome}."},
]


def until(condition: Callable[[], object], what: str) -> None:
    ends = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < ends, f"not in time: {what}"
        time.sleep(0.01)


def descendants(pid: int) -> list[int]:
    """Every process that comes of this one."""
    children = [
        int(child) for tasks in Path(f"/proc/{pid}/task").glob("*/children") for child in tasks.read_text().split()
    ]
    return [*children, *(later for child in children for later in descendants(child))]


def running(pid: int) -> bool:
    """Is it there, and no zombie that nobody has waited for?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@dataclass
class Started:
    """A command that goes on; what it said is in ``text``."""

    process: subprocess.Popen[bytes]
    file: Path

    @property
    def text(self) -> str:
        return self.file.read_text()

    def says(self, words: str) -> None:
        """Wait until it does."""
        until(lambda: words in self.text or self.process.poll() is not None, words)
        assert words in self.text, self.text

    def ends(self) -> int:
        """Its exit code."""
        return self.process.wait(WITHIN)

    def kill(self) -> None:
        """End the launcher at once: its programs go with it, and are waited for."""
        programs = descendants(self.process.pid)
        self.process.kill()
        self.process.wait()
        until(lambda: not any(map(running, programs)), "its programs have ended")


@dataclass
class Machine:
    """One computer's state of the command. ``bus``: the options that name the bus."""

    home: Path
    bus: tuple[str, ...]
    started: list[Started] = field(default_factory=list)

    @property
    def runs(self) -> Path:
        return self.home / "state" / "sympozium" / "runs"

    def directory(self, run: str) -> Path:
        return self.runs / run

    def effects(self, run: str) -> list[str]:
        """What commands did in the workspace here."""
        file = self.directory(run) / "workspace" / "effects"
        return file.read_text().split() if file.exists() else []

    def environment(self, **more: str) -> dict[str, str]:
        names = ("PATH", "HOME", "LANG", "XDG_RUNTIME_DIR", "DOCKER_HOST", "SYMPOZIUM_REGISTRY", "SYMPOZIUM_TAG")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        return {**kept, "XDG_STATE_HOME": str(self.home / "state"), **more}

    def __call__(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """A command to its end, as it is."""
        return subprocess.run(
            [SYMPOZIUM, *words],
            env=self.environment(**env),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=False,
        )

    def on_bus(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """A command to its end, with the bus named."""
        return self(*words, *self.bus, **env)

    def start(self, *words: str, **env: str) -> Started:
        """A command that goes on."""
        file = self.home / f"output-{len(self.started)}"
        with file.open("wb") as output:
            process = subprocess.Popen(
                [SYMPOZIUM, *words],
                env=self.environment(**env),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.started.append(Started(process, file))
        return self.started[-1]

    def script(self, steps: list[dict[str, object]] | None = None) -> str:
        file = self.home / "script.yaml"
        file.write_text(json.dumps({"steps": steps or STEPS}))  # JSON is YAML
        return str(file)

    def run(self, name: str, *options: str, steps: list[dict[str, object]] | None = None, **env: str) -> Started:
        """A run called ``name``, on the bus, that waits for a person."""
        where = ("--dir", str(self.directory(name)), "--script", self.script(steps), "--approve", "wait")
        return self.start("run", "do it", *where, *self.bus, *options, **env)

    def end(self) -> None:
        for one in self.started:
            if one.process.poll() is None:
                one.process.send_signal(signal.SIGKILL)
                one.process.wait()
