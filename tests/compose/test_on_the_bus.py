"""The bus in containers, with a gateway and a memory on it: the example as its README says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.compose.test_served import free_port
from tests.pod.play import SYMPOZIUM
from tests.support.engine import need_images

ROOT = Path(__file__).parents[2]
NAME = "examples/11-on-the-bus"

Shell = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """Commands of the README, in a copy of the example: its keys are not for this checkout."""
    need_images("nats", "bus-auth", "model", "memory")
    shutil.copytree(ROOT / NAME, tmp_path / NAME, ignore=shutil.ignore_patterns("bus"))
    port = str(free_port())
    path = f"{SYMPOZIUM.parent}:{os.environ['PATH']}"
    user = f"{os.getuid()}:{os.getgid()}"
    told = {"PATH": path, "PORT": port, "XDG_STATE_HOME": str(tmp_path / "state"), "SYMPOZIUM_USER": user}

    def run(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", command.replace("4222", port)],
            cwd=tmp_path,
            env={**os.environ, **told},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    try:
        yield run
    finally:
        run(f"docker compose -f {NAME}/compose.yaml down --volumes")


def test_runs_remember_through_a_memory_that_none_of_them_brings(shell: Shell, tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / NAME / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    setup, _, up, ask, down = blocks[0].strip().splitlines()
    for command in (setup, up):
        done = shell(command)
        assert done.returncode == 0, done.stderr
    first, second = shell(ask), shell(ask)
    assert "Nothing that is remembered" in first.stdout, first.stderr
    assert "Somebody asked: Which node is noisy?" in second.stdout, second.stderr
    run = re.findall(r"^run (\S+)$", second.stderr, re.MULTILINE)[0]
    token, follow, _ = (line.replace("RUN", run) for line in blocks[1].strip().splitlines())
    assert shell(token).returncode == 0
    followed = shell(follow)
    assert followed.returncode == 0, followed.stderr
    assert "Somebody asked: Which node is noisy?" in followed.stdout
    pod = tmp_path / "state/sympozium/runs" / run
    assert not (pod / "logs/model.log").exists()
    assert shell(down).returncode == 0
