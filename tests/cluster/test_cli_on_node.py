"""The command beside runs of a whole cluster: it is there before they begin, and sees them to their end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster_command import started
from tests.support.installed import Installed, scripted

pytestmark = pytest.mark.xdist_group("node")


@pytest.fixture(scope="module")
def team(installed: Installed) -> Iterator[str]:
    """A namespace of a team."""
    with installed.cluster.namespace() as name:
        yield name


@pytest.fixture(scope="module")
def token(installed: Installed, team: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with the token of somebody who may see runs."""
    path = tmp_path_factory.mktemp("token") / "token"
    path.write_text(installed.token(team, "vera", role="view"))
    return str(path)


def test_a_run_is_followed_from_before_it_begins_to_its_end(installed: Installed, team: str, token: str) -> None:
    run = installed.start(team, "later", "early")
    words = ("logs", "-f", "early", "--on", "cluster", "-n", team, "--bus-token", token)
    with started(Path(installed.cluster.kubeconfig), *words, within=240) as process:
        assert process.stderr
        said = ""
        while "Waiting MissingReference: " not in said:
            said += (line := process.stderr.readline())
            assert line, said
        assert said.startswith("early has not begun: ")
        installed.instance(team, "later", provider=scripted({"say": "It is done."}))
        shown, rest = process.communicate(timeout=180)

    assert process.returncode == 0, rest
    assert run.ended()["phase"] == "Succeeded"
    assert "It is done." in shown
    assert "Succeeded Completed" in shown
    assert "error" not in rest


def test_what_a_run_says_can_be_read_from_the_moment_it_has_begun(installed: Installed, team: str, token: str) -> None:
    """Whoever asks just then is not told that the bus has no such run."""
    installed.instance(team, "slow", provider=scripted({"say": "And that was all."}))
    run = installed.start(team, "slow", "begun")
    run.until(lambda status: bool(status.get("startTime")), "the agent has begun")

    done = installed.command("logs", "begun", "--on", "cluster", "-n", team, "--bus-token", token)

    assert done.returncode == 0, done.stderr
    assert "run begun" in done.stdout
