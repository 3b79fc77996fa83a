"""``sympozium render``: a file that needs nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

SYMPOZIUM = Path(sys.executable).with_name("sympozium")
EXAMPLES = Path(__file__).parents[2] / "examples"


def rendered(*words: str, what: str = "compose", **env: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return subprocess.run(
        [str(SYMPOZIUM), "render", what, *words],
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


def test_a_job_for_kubectl_is_yaml_that_says_what_is_not_enforced() -> None:
    done = rendered("-f", str(EXAMPLES / "01-hello" / "agent.yaml"), "--name", "hello", what="kubernetes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Not enforced here:" in done.stdout
    [job] = yaml.safe_load_all(done.stdout)
    assert (job["kind"], job["metadata"]["name"], job["metadata"]["namespace"]) == ("Job", "hello", "default")
    assert job["spec"]["activeDeadlineSeconds"] > 120
    spec = job["spec"]["template"]["spec"]
    assert (spec["serviceAccountName"], spec["containers"][0]["image"]) == ("default", "sympozium/agent:dev")


def test_a_job_on_a_bus_can_wait_for_a_person_and_knows_the_servers_authorities(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("-----BEGIN CERTIFICATE-----\n")
    words = ("x", "--bus", "tls://bus.example:4222", "--bus-ca", str(tmp_path / "ca.crt"))
    [job] = yaml.safe_load_all(rendered(*words, what="kubernetes").stdout)
    annotations = job["spec"]["template"]["metadata"]["annotations"]
    assert annotations["sympozium.ai/bus-ca"] == "-----BEGIN CERTIFICATE-----\n"
    assert json.loads(annotations["sympozium.ai/run-spec"])["approval"]["somebody"] is True
    assert "activeDeadlineSeconds" not in job["spec"]


def test_a_key_that_only_this_machine_has_is_refused_for_a_cluster() -> None:
    done = rendered("x", "--provider", "openai", "--model", "m", OPENAI_API_KEY="sesame", what="kubernetes")
    assert (done.returncode, done.stdout) == (13, "")
    assert "spec.provider.apiKeySecret" in done.stderr
