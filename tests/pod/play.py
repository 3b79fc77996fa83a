"""Whole runs, as a user starts them: the command, its programs, its files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sympozium_protocol.files import open_root
from sympozium_protocol.layout import TRANSCRIPT
from sympozium_protocol.listing import Numbered
from sympozium_protocol.messages import Message, ToolMessage, decode_message

SYMPOZIUM = Path(sys.executable).with_name("sympozium")
LIMIT = 120
"""Seconds after which a run that hangs fails its test."""


@dataclass
class Run:
    """A run that has ended (or is left for later), and what can be read of it."""

    directory: Path
    code: int
    out: str
    err: str

    @property
    def messages(self) -> list[Message]:
        """The whole transcript; reading it fails when a message is not valid or a number is missing."""
        directory = open_root(self.directory / "ipc").open(TRANSCRIPT)
        found = [decode_message(data) for _, data in Numbered(directory)]
        assert len(found) == len(directory.names())
        return found

    @property
    def answers(self) -> list[ToolMessage]:
        return [message for message in self.messages if isinstance(message, ToolMessage)]

    @property
    def result(self) -> dict[str, object]:
        return json.loads((self.directory / "ipc/agent/result.json").read_text())  # type: ignore[no-any-return]


@dataclass
class Play:
    """What a test starts: a script of the scripted model, options, an environment."""

    path: Path

    def script(self, steps: list[dict[str, object]]) -> Path:
        file = self.path / "script.yaml"
        file.write_text(json.dumps({"steps": steps}))  # JSON is YAML
        return file

    def command(self, *options: str, approve: str = "all") -> list[str]:
        directory = ["--dir", str(self.path / "run")]
        return [
            str(SYMPOZIUM),
            "run",
            "what is so?",
            "--policy",
            "permissive",
            "--approve",
            approve,
            *directory,
            *options,
        ]

    def env(self, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {**kept, "XDG_STATE_HOME": str(self.path / "state"), **more}

    def run(self, *options: str, approve: str = "all", **env: str) -> Run:
        return self.do(self.command(*options, approve=approve), **env)

    def resume(self, **env: str) -> Run:
        return self.do([str(SYMPOZIUM), "resume", str(self.path / "run")], **env)

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
        return Run(self.path / "run", done.returncode, done.stdout, done.stderr)
