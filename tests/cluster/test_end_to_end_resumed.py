"""A run that waits for a person longer than a pod waits: its pod ends, and an answer begins another, which goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sympozium_controller.lifecycle.restore import NAME
from sympozium_protocol.exits import Reason
from tests.support.installed import Installed, Run, scripted

pytestmark = pytest.mark.xdist_group("node")
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="module")
def team(installed: Installed) -> Iterator[str]:
    with installed.cluster.namespace(**RESTRICTED) as name:
        yield name


@pytest.fixture(scope="module")
def boss(installed: Installed, team: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The token of a person who may approve."""
    file = tmp_path_factory.mktemp("boss") / "token"
    file.write_text(installed.token(team, "boss", "admin"))
    return file


def command(line: str, save: str) -> dict[str, Any]:
    return {"call": [{"tool": "execute_command", "arguments": {"command": line}, "save": save}]}


def suspended(status: Mapping[str, Any]) -> bool:
    return (status.get("phase"), status.get("reason")) == ("Waiting", Reason.Suspended.name)


def asked(status: Mapping[str, Any]) -> str:
    """The call that somebody is to answer, while its pod waits for that."""
    found = re.search(r"\b\d+-\d+\b", status.get("message", ""))
    return found[0] if found and status.get("reason") == "ApprovalRequired" else ""


def approve(installed: Installed, run: Run, call: str, token: Path) -> None:
    words = ("--on", "cluster", "--bus-token", str(token), "-n", run.namespace)
    done = installed.command("approve", run.name, call, *words)
    assert done.returncode == 0, done.stderr


def test_an_answer_begins_another_pod_which_goes_on_where_the_first_was(
    installed: Installed, team: str, boss: Path
) -> None:
    """Each command prints which pod it ran in: the first, which is done already, is not run again by the others."""
    steps = (
        command("cat /etc/hostname; echo x >> effects; wc -l < effects", "one"),
        command("cat /etc/hostname; echo x >> effects; wc -l < effects", "two"),
        {"say": "${one} ${two}"},
    )
    approval = {"patience": "8s"}
    installed.instance(team, "slow", provider=scripted(*steps), skills=["shell"], policy="default", approval=approval)
    run = installed.start(team, "slow", "slow")
    pods = []
    for _ in range(2):
        call = run.until(asked, "it asks")
        run.until(suspended, "its pod ended to wait")
        pods.append(run.status["podName"])
        approve(installed, run, call, boss)
        run.until(lambda status: not suspended(status), "another attempt begins")
    status = run.ended()
    assert (status["phase"], status["reason"]) == ("Succeeded", "Completed"), status
    assert status["attempt"] == 3
    pods.append(status["podName"])
    assert status["output"].split() == [pods[1], "1", pods[2], "1"]  # the workspace is each pod's own
    jobs = installed.cluster.get("jobs", "-n", team, "-l", f"sympozium.ai/run={status['run']}")["items"]
    first = {
        job["metadata"]["labels"]["sympozium.ai/attempt"]: job["spec"]["template"]["spec"]["initContainers"][0]["name"]
        for job in jobs
    }
    assert first == {"1": "bridge", "2": NAME, "3": NAME}
