"""The person whose kubeconfig has a certificate and no token, as clusters come: sees runs and answers like others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cluster_start import given
from tests.support.installed import Installed, scripted

pytestmark = [
    pytest.mark.xdist_group("node"),
    pytest.mark.skipif(bool(given()), reason="the kubeconfig of TEST_KUBECONFIG may have a token"),
]
ASKS = (
    {"call": [{"tool": "execute_command", "arguments": {"command": "echo done"}, "save": "r"}]},
    {"say": "${r.outcome}: ${r}"},
)


@pytest.fixture
def team(installed: Installed) -> Iterator[str]:
    with installed.cluster.namespace() as name:
        yield name


def test_a_person_who_comes_by_certificate_sees_the_run_answers_it_and_leaves_nothing_behind(
    installed: Installed, team: str
) -> None:
    installed.instance(team, "careful", provider=scripted(*ASKS), skills=["shell"], policy="default")
    run = installed.start(team, "careful", "asked")
    run.until(lambda status: status.get("phase") == "Waiting", "it waits for a person")
    there = ("--on", "cluster", "-n", team)
    seen = installed.command("logs", run.name, *there)
    assert seen.returncode == 0, seen.stderr
    assert "execute_command" in seen.stdout + seen.stderr
    answered = installed.command("approve", run.name, "4-1", *there)
    assert answered.returncode == 0, answered.stderr
    status = run.ended()
    assert (status["phase"], status["output"]) == ("Succeeded", "ok: done")
    requests = installed.cluster.kubectl("get", "csr", "-o", "name").split()
    assert not [name for name in requests if "/sympozium-" in name]
