"""Runs of a whole installation: what their scripts say, one that waits in a command, and a look into its containers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.installed import Installed, Run, scripted, until

BEGIN = "echo one >> effects; touch began; until [ -e go ]; do sleep 0.05; done; echo went"

TOUCHED = "found = os.path.exists('/workspace/began')"

GO = "open('/workspace/go', 'w').close()\nfound = 1"


@pytest.fixture(scope="module")
def team(installed: Installed) -> Iterator[str]:
    """A namespace of a team."""
    with installed.cluster.namespace() as name:
        yield name


def call(tool: str, save: str = "r", **arguments: Any) -> dict[str, Any]:
    return {"call": [{"tool": tool, "arguments": arguments, "save": save}]}


def shell(command: str, save: str = "r") -> dict[str, Any]:
    return call("execute_command", save, command=command, timeout=600)


def begun(installed: Installed, team: str, name: str, *more: dict[str, Any]) -> tuple[Run, str]:
    """A run of its own instance that waits in a command, and its pod."""
    steps = (shell(BEGIN), *more)
    installed.instance(team, name, provider=scripted(*steps), skills=["shell"], policy="permissive")
    run = installed.start(team, name, name)
    pod = run.pod()
    until(lambda: python(installed, run, "shell", TOUCHED), "the command has begun")
    return run, pod


def python(installed: Installed, run: Run, container: str, code: str) -> str:
    """What ``found`` is after this code ran in the container; empty where it could not be run."""
    told = f"import os\nfound = None\n{code}\nprint(found or '')"
    words = ("exec", "-n", run.namespace, run.status["podName"], "-c", container, "--", "python3", "-c", told)
    done = subprocess.run(
        [installed.cluster.client, "--kubeconfig", str(installed.cluster.kubeconfig), *words],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() if done.returncode == 0 else ""
