"""An agent with a memory behind HTTP, in a container: the example as its README says, and a client of OpenAI's."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
import yaml

from tests.support.engine import need_images

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "10-served-in-a-container"
PROJECT = "sympozium-notes"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def shell(command: str, port: int) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PORT": str(port), "SYMPOZIUM_WEB_TOKEN": "change-me"}
    return subprocess.run(
        ["bash", "-c", command.replace("8080", str(port))],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def port() -> Iterator[int]:
    need_images("web-endpoint")
    chosen = free_port()
    try:
        yield chosen
    finally:
        shell(f"docker compose -f {EXAMPLE}/compose.yaml down --volumes", chosen)


def test_the_readme_serves_answers_and_remembers(port: int) -> None:
    block = re.search(r"^```sh\n(.*?)^```", (EXAMPLE / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None
    export, up, ask, down = block[1].strip().splitlines()
    assert export == "export SYMPOZIUM_WEB_TOKEN=change-me"
    done = shell(up, port)
    assert done.returncode == 0, done.stderr
    assert "Nothing that is remembered" in shell(ask, port).stdout
    assert shell(down, port).returncode == 0
    assert shell(up, port).returncode == 0
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="change-me") as client:
        answer = client.chat.completions.create(model="notes", messages=[{"role": "user", "content": "Which node?"}])
    assert "Somebody asked: Which node is noisy?" in (answer.choices[0].message.content or "")
    assert shell(ask.replace("change-me", "wrong"), port).returncode == 22


def test_its_container_has_the_walls_that_a_container_can_have() -> None:
    service = yaml.safe_load((EXAMPLE / "compose.yaml").read_text())["services"]["web"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["ports"] == ["127.0.0.1:${PORT:-8080}:8080"]
    assert all(service[bound] for bound in ("mem_limit", "pids_limit", "cpus"))
