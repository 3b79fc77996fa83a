"""Whole runs through the command, for measuring: a script, a directory, an environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SYMPOZIUM = Path(sys.executable).with_name("sympozium")


def environment(path: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "XDG_STATE_HOME": str(path / "state"), **more}


def command(path: Path, steps: list[dict[str, object]], *options: str, name: str = "run") -> list[str]:
    """``sympozium run`` of this script below ``path``, every call allowed."""
    script = path / f"{name}.yaml"
    script.write_text(json.dumps({"steps": steps}))
    chosen = ("--script", str(script), "--dir", str(path / name), "--policy", "permissive", "--quiet")
    return [str(SYMPOZIUM), "run", "measure", *chosen, *options]


def start(argv: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def tool(command_line: str) -> dict[str, object]:
    return {"tool": "execute_command", "arguments": {"command": command_line}}
