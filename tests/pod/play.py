"""Whole runs, as a user starts them: the command, its programs, its files; as processes or in containers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from sympozium_cli.rundir import RunDirectory
from sympozium_protocol.files import Directory
from sympozium_protocol.layout import AGENT, RESULT_FILE, TRANSCRIPT, Place, volume
from sympozium_protocol.listing import Numbered
from sympozium_protocol.messages import Message, ToolMessage, decode_message

SYMPOZIUM = Path(sys.executable).with_name("sympozium")
LIMIT = 120
"""Seconds after which a run that hangs fails its test."""
AT_WORK = ("agent", "shell")
"""Programs that have the workspace: the others have only their own places."""
EVERYWHERE = "0.0.0.0"
PROCESSES = pytest.mark.parametrize("play", ["processes"], indirect=True)
"""For what is particular to processes, or has nothing to do with where programs run."""


@dataclass
class Run:
    """A run that has ended (or is left for later), and what can be read of it."""

    directory: Path
    code: int
    out: str
    err: str

    @property
    def ipc(self) -> Directory:
        return RunDirectory(self.directory).open_ipc()

    @property
    def messages(self) -> list[Message]:
        """The whole transcript; reading it fails when a message is not valid or a number is missing."""
        directory = self.ipc.open(TRANSCRIPT)
        found = [decode_message(data) for _, data in Numbered(directory)]
        assert len(found) == len(directory.names())
        return found

    @property
    def answers(self) -> list[ToolMessage]:
        return [message for message in self.messages if isinstance(message, ToolMessage)]

    @property
    def result(self) -> dict[str, object]:
        with self.ipc.open((AGENT,)) as agent:
            data = agent.read(RESULT_FILE)
        assert data is not None, "there is no result"
        return json.loads(data)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Failpoint:
    """Where a program is to be killed: ``env`` asks for it, ``mark`` is there when it has happened."""

    env: dict[str, str]
    mark: Path

    @property
    def passed(self) -> bool:
        return self.mark.exists()


@dataclass
class Play:
    """What a test starts: a script of the scripted model, options, an environment.

    ``on``: where the programs of its runs are. Commands that name files do so relative to the workspace.
    """

    path: Path
    on: Literal["processes", "compose"] = "processes"

    @property
    def directory(self) -> Path:
        return self.path / "run"

    @property
    def workspace(self) -> Path:
        """The directory that commands work in, as this machine sees it."""
        return self.directory / "workspace"

    @property
    def listen(self) -> str:
        """Where a server listens that the programs of a run are to reach."""
        return EVERYWHERE if self.on == "compose" else "127.0.0.1"

    @property
    def here(self) -> str:
        """This machine, as the programs of a run call it."""
        return "host.docker.internal" if self.on == "compose" else "127.0.0.1"

    def place(self, place: Place, of: str = "run") -> Path:
        """A directory of the run's /ipc that is a volume of its own, as this machine sees it."""
        if self.on == "compose":
            return self.path / of / "volumes" / volume(place)
        return self.path.joinpath(of, "ipc", *place)

    def kill_at(self, where: str, of: str = "run") -> Failpoint:
        """``PROGRAM/NAME#N``. The mark lies where this program can write, and finds it in its next life."""
        program = where.partition("/")[0]
        if self.on == "processes":
            mark, inside = self.path / "killed", str(self.path / "killed")
        elif program in AT_WORK:
            mark, inside = self.path / of / "workspace/.killed", "/workspace/.killed"
        else:
            mark, inside = self.place((program,), of) / ".killed", f"/ipc/{program}/.killed"
        return Failpoint({"SYMPOZIUM_FAILPOINT": f"{where}@{inside}"}, mark)

    def script(self, steps: list[dict[str, object]]) -> Path:
        file = self.path / "script.yaml"
        file.write_text(json.dumps({"steps": steps}))  # JSON is YAML
        return file

    def command(self, *options: str, approve: str = "all") -> list[str]:
        """A run of everything allowed, in ``directory``."""
        policy = ["--policy", "permissive", "--approve", approve]
        return [*self.plain("what is so?", *policy), "--dir", str(self.directory), *options]

    def plain(self, *words: str) -> list[str]:
        """``sympozium run``, and where."""
        return [str(SYMPOZIUM), "run", "--on", self.on, *words]

    def env(self, **more: str) -> dict[str, str]:
        names = ("PATH", "HOME", "LANG", "XDG_RUNTIME_DIR", "DOCKER_HOST", "SYMPOZIUM_REGISTRY", "SYMPOZIUM_TAG")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        return {**kept, "XDG_STATE_HOME": str(self.path / "state"), **more}

    def run(self, *options: str, approve: str = "all", **env: str) -> Run:
        return self.do(self.command(*options, approve=approve), **env)

    def resume(self, **env: str) -> Run:
        return self.do([str(SYMPOZIUM), "resume", str(self.directory)], **env)

    def start(self, command: list[str], **env: str) -> subprocess.Popen[bytes]:
        """Start a run that the test will kill."""
        return subprocess.Popen(
            command,
            env=self.env(**env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def do(self, command: list[str], **env: str) -> Run:
        done = subprocess.run(
            command,
            env=self.env(**env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        return Run(self.directory, done.returncode, done.stdout, done.stderr)
