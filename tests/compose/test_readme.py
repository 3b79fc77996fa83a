"""What the README says of containers, as it says it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.engine import need_images

ROOT = Path(__file__).parents[2]


def shell(command: str, where: Path, state: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command.replace(".venv/bin/", "")],
        cwd=where,
        env={**os.environ, "PATH": path, "XDG_STATE_HOME": str(state)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_the_readme_runs_in_containers_with_and_without_the_command(tmp_path: Path) -> None:
    need_images("agent", "ipc-bridge", "model", "skill-shell")
    section = re.search(r"^## In containers\n+```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    assert section is not None
    make, run, render, up, down = section[1].strip().splitlines()
    assert make.startswith("make images")
    done = shell(run, ROOT, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Filesystem" in done.stdout
    done = shell(render.replace("> compose.yaml", f"> {tmp_path}/compose.yaml"), ROOT, tmp_path)
    assert done.returncode == 0, done.stderr
    try:
        done = shell(up, tmp_path, tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"agent-1\s+\| \S", done.stdout)
    finally:
        assert shell(down, tmp_path, tmp_path).returncode == 0
