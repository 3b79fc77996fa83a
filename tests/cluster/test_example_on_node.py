"""examples/12-in-a-cluster, as its README has it: each command, in order."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster_start import given
from tests.support.installed import Installed

pytestmark = [
    pytest.mark.xdist_group("node"),
    pytest.mark.skipif(bool(given()), reason="the example has a namespace of its own name"),
]
ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "12-in-a-cluster"


@pytest.fixture
def payments(installed: Installed) -> Iterator[None]:
    """Whatever the commands leave of their namespace goes."""
    yield
    installed.cluster.kubectl("delete", "namespace", "payments", "--ignore-not-found", "--timeout=120s")


def commands() -> list[str]:
    """The first block: what one types to the end."""
    found = re.search(r"```sh\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.S)
    assert found
    return found[1].strip().splitlines()


@pytest.mark.usefixtures("payments")
def test_the_agent_finds_the_broken_rollout_and_takes_it_back_once_it_is_allowed(installed: Installed) -> None:
    said = ""
    for line in commands():
        words = shlex.split(line, comments=True)
        if words[0] == "sympozium":  # nobody sits at this terminal
            words += ["--approve", "all"]
        done = run(installed, words)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        said = done.stdout if words[0] == "sympozium" else said
    assert "fatal: PAYMENTS_DB is not set" in said
    assert "deployment.apps/api rolled back" in said
    kept = installed.cluster.get("deployment", "api", "-n", "payments")["spec"]["template"]["spec"]["containers"][0]
    assert kept["env"][0]["name"] == "PAYMENTS_DB"


def run(installed: Installed, words: list[str]) -> subprocess.CompletedProcess[str]:
    """As at a terminal of the repository, where both programs are on the PATH."""
    own = Path(sys.executable).parent
    path = f"{own}:{Path(installed.cluster.client).parent}:/usr/bin:/bin"
    return subprocess.run(
        words,
        cwd=ROOT,
        env=installed.environment(PATH=path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
