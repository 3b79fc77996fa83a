"""``sympozium render compose``: a file that needs nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

SYMPOZIUM = Path(sys.executable).with_name("sympozium")
EXAMPLES = Path(__file__).parents[2] / "examples"


def rendered(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return subprocess.run(
        [str(SYMPOZIUM), "render", "compose", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, **env},
        timeout=60,
    )


def test_it_is_yaml_on_standard_output_that_says_what_is_not_enforced() -> None:
    done = rendered("-f", str(EXAMPLES / "01-hello" / "agent.yaml"), "--name", "hello")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Not enforced here:" in done.stdout
    value = yaml.safe_load(done.stdout)
    assert value["name"] == "sympozium-hello"
    assert value["services"]["agent"]["image"] == "sympozium/agent:dev"


def test_no_key_is_needed_and_none_is_in_the_file() -> None:
    words = ("x", "--provider", "openai", "--model", "m")
    done = rendered(*words, OPENAI_API_KEY="sesame")
    assert done.returncode == 0, done.stderr
    assert "sesame" not in done.stdout
    assert rendered(*words).returncode == 0


def test_registry_and_tag_may_come_from_the_environment() -> None:
    done = rendered("x", SYMPOZIUM_REGISTRY="registry.example/team", SYMPOZIUM_TAG="v1")
    assert yaml.safe_load(done.stdout)["services"]["model"]["image"] == "registry.example/team/model:v1"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("x", "--name", "No Name"), 10, "--name"),
        (("x", "--provider", "ollama", "--model", "m"), 11, "host.docker.internal"),
        (("x", "--skill", "nowhere"), 12, "nowhere"),
        ((), 10, "INPUT"),
    ],
    ids=["name", "loopback", "skill", "no input"],
)
def test_what_cannot_run_is_refused_in_one_line(words: tuple[str, ...], code: int, told: str) -> None:
    done = rendered(*words)
    assert done.stdout == ""
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.returncode == code
