"""Runs in a cluster with everything in it, and people: what a policy asks of them, how they answer, what they see."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sympozium_protocol.exits import Reason
from tests.support.installed import Installed, Run, scripted, until
from tests.support.whole_runs import shell, team

__all__ = ["team"]

pytestmark = pytest.mark.xdist_group("node")


def test_a_tool_that_the_policy_denies_is_an_answer_that_the_model_reads(installed: Installed, team: str) -> None:
    installed.cluster.apply(
        {
            "apiVersion": "sympozium.ai/v1alpha1",
            "kind": "SympoziumPolicy",
            "metadata": {"name": "no-commands", "namespace": team},
            "spec": {"template": "Permissive", "deniedTools": ["execute_command"]},
        }
    )
    steps = (shell("touch done"), {"say": "${r.outcome}: ${r}"})
    installed.instance(team, "bound", provider=scripted(*steps), skills=["shell"], policy="no-commands")
    status = installed.start(team, "bound", "denied").ended()
    assert (status["phase"], status["reason"]) == ("Succeeded", "Completed")
    assert status["output"] == "denied: Denied: policy no-commands denies execute_command."


ASKS = (shell("echo done >> effects; cat effects"), {"say": "${r.outcome}: ${r}"})


@pytest.fixture(scope="module")
def asking(installed: Installed, team: str) -> str:
    """An instance whose commands a person must allow."""
    installed.instance(team, "careful", provider=scripted(*ASKS), skills=["shell"], policy="default")
    return "careful"


def waits(run: Run) -> str:
    """The call that a person is to answer, as the status names it."""
    run.until(lambda status: status.get("phase") == "Waiting", "it waits for a person")
    status = run.status
    assert (status["reason"], status["waitingFor"]) == ("ApprovalRequired", "Answer")
    assert " shell/" in status["message"]
    assert " (execute_command): sympozium approve " in status["message"]
    found = re.search(r"\b\d+-\d+\b", status["message"])
    assert found, status["message"]
    return found[0]


@pytest.fixture(scope="module")
def people(installed: Installed, team: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files with the tokens of two persons, by the ClusterRole of Kubernetes that each has in the namespace."""
    folder = tmp_path_factory.mktemp("people")
    for role in ("admin", "edit"):
        (folder / role).write_text(installed.token(team, f"has-{role}", role))
    return {role: folder / role for role in ("admin", "edit")}


def answers(installed: Installed, run: Run, verb: str, call: str, *words: str) -> subprocess.CompletedProcess[str]:
    return installed.command(verb, run.name, call, "--on", "cluster", "-n", run.namespace, *words)


def test_a_person_who_may_approve_does_and_one_who_may_not_is_refused(
    installed: Installed, team: str, asking: str, people: dict[str, Path]
) -> None:
    run = installed.start(team, asking, "approved")
    call = waits(run)
    editor = answers(installed, run, "approve", call, "--bus-token", str(people["edit"]))
    assert editor.returncode == Reason.PolicyDenied, editor.stderr
    assert "it takes the verb approve on agentruns.sympozium.ai" in editor.stderr
    assert run.status["phase"] == "Waiting"
    person = answers(installed, run, "approve", call, "--bus-token", str(people["admin"]))
    assert person.returncode == 0, person.stderr
    status = run.ended()
    assert (status["phase"], status["output"]) == ("Succeeded", "ok: done")


def test_a_person_denies_and_the_model_reads_why(
    installed: Installed, team: str, asking: str, people: dict[str, Path]
) -> None:
    run = installed.start(team, asking, "refused")
    words = ("--reason", "not on a Friday", "--bus-token", str(people["admin"]))
    person = answers(installed, run, "deny", waits(run), *words)
    assert person.returncode == 0, person.stderr
    status = run.ended()
    assert status["phase"] == "Succeeded"
    assert status["output"].startswith("denied: ")
    assert "not on a Friday" in status["output"]


@contextmanager
def watching(installed: Installed, team: str, path: Path) -> Iterator[Path]:
    """The lines of ``kubectl get agentrun -w`` in a file."""
    cluster = installed.cluster
    words = [cluster.client, "--kubeconfig", str(cluster.kubeconfig), "get", "agentrun", "-w", "-n", team]
    with path.open("wb") as file, subprocess.Popen(words, stdout=file, stderr=file) as process:
        try:
            yield path
        finally:
            process.terminate()


def test_kubectl_shows_how_a_run_goes_from_phase_to_phase(
    installed: Installed, team: str, asking: str, people: dict[str, Path], tmp_path: Path
) -> None:
    with watching(installed, team, tmp_path / "seen") as seen:
        run = installed.start(team, asking, "watched")
        person = answers(installed, run, "approve", waits(run), "--bus-token", str(people["admin"]))
        assert person.returncode == 0, person.stderr
        run.ended()
        lines = until(lambda: shown(seen, "watched", "Succeeded"), "kubectl shows its end", seen.read_text)
    phases = [found[0] for line in lines if (found := re.findall(r"\b(Pending|Running|Waiting|Succeeded)\b", line))]
    assert [one for i, one in enumerate(phases) if phases[i - 1 : i] != [one]] == [
        "Pending", "Running", "Waiting", "Running", "Succeeded",
    ]  # fmt: skip
    assert any("ApprovalRequired" in line for line in lines)
    assert re.search(r"^watched +Succeeded +Completed +careful +\d+s +\d+s", lines[-1])


def shown(path: Path, run: str, last: str) -> list[str]:
    """The lines about this run, once one of them tells ``last``."""
    found = [line for line in path.read_text().splitlines() if line.startswith(f"{run} ")]
    return found if any(last in line for line in found) else []
