"""Whole runs in a cluster with everything in it: from an AgentRun to what stands in its status."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.installed import Installed, scripted

pytestmark = pytest.mark.xdist_group("node")


@pytest.fixture
def team(installed: Installed) -> Iterator[str]:
    """A namespace of a team."""
    with installed.cluster.namespace() as name:
        yield name


def test_a_run_is_a_job_and_its_answer_stands_in_its_status(installed: Installed, team: str) -> None:
    look = {"tool": "execute_command", "arguments": {"command": "echo from the pod"}, "save": "r"}
    script = scripted({"say": "I look.", "call": [look]}, {"say": "It was ${r.outcome}."})
    installed.instance(team, "helper", provider=script, skills=["shell"], policy="permissive")
    status = installed.start(team, "helper", "look").ended()
    assert (status["phase"], status["reason"], status["output"]) == ("Succeeded", "Completed", "It was ok.")
    assert status["usage"]["toolCalls"] == 1
    assert installed.cluster.get("job", status["jobName"], "-n", team)["metadata"]["uid"] == status["jobUID"]
