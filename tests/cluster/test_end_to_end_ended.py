"""Runs in a cluster with everything in it: how they are stopped, and what of them may die while they go on."""

from __future__ import annotations

import json

import pytest

from tests.support.installed import SYSTEM, Installed, Run, until
from tests.support.provider_server import provider_server
from tests.support.whole_runs import BEGIN, GO, TOUCHED, begun, python, shell, team

__all__ = ["team"]

pytestmark = pytest.mark.xdist_group("node")


@pytest.mark.parametrize("how", ["kubectl", "sympozium"])
def test_a_run_that_is_cancelled_ends_cleanly_before_its_command_would(
    installed: Installed, team: str, how: str
) -> None:
    """The command waits for ever: nothing but the cancelling ends it."""
    run, _pod = begun(installed, team, f"stopped-by-{how}", {"say": "never said"})
    if how == "kubectl":
        words = ("patch", "agentrun", run.name, "-n", team, "--type=merge", "-p", '{"spec":{"cancel":true}}')
        installed.cluster.kubectl(*words)
    else:
        done = installed.command("runs", "cancel", run.name, "-n", team)
        assert done.returncode == 0, done.stderr
    status = run.ended()
    assert (status["phase"], status["reason"]) == ("Cancelled", "Cancelled")
    assert status["usage"]["modelCalls"] == 1  # the agent itself told how far it came
    job = installed.cluster.get("job", status["jobName"], "-n", team)
    assert job["spec"].get("activeDeadlineSeconds") != 1  # and nobody had to end its pod by force


KILL = """
import signal
found = []
for number in filter(str.isdigit, os.listdir("/proc")):
    try:
        name = open(f"/proc/{number}/cmdline").read()
        parent = int(open(f"/proc/{number}/stat").read().rpartition(")")[2].split()[1])
    except OSError:
        continue
    if parent == 1 and "sympozium" in name:
        os.kill(int(number), signal.SIGKILL)
        found.append(int(number))
"""


def kill(installed: Installed, run: Run, victim: str) -> None:
    """The program of this container. A sidecar ends with it, and with it whoever asks what was killed."""
    found = python(installed, run, victim, KILL)
    if victim == "agent":
        assert found  # its first process starts it again
    else:
        until(lambda: restarts(installed, run, victim), f"{victim} is started again")


def restarts(installed: Installed, run: Run, container: str) -> int:
    status = installed.cluster.get("pod", run.status["podName"], "-n", run.namespace)["status"]
    return sum(one["restartCount"] for one in status["initContainerStatuses"] if one["name"] == container)


def goes_on(installed: Installed, run: Run) -> None:
    """Its command ends."""
    until(lambda: python(installed, run, "shell", GO), "the command may end")


EFFECTS = (shell("cat effects", "effects"), {"say": "${r.outcome} ${effects}"})


@pytest.mark.parametrize("victim", ["agent", "bridge", "model"])
def test_a_run_whose_program_is_killed_goes_on_and_does_nothing_twice(
    installed: Installed, team: str, victim: str
) -> None:
    run, _ = begun(installed, team, f"without-{victim}", *EFFECTS)
    kill(installed, run, victim)
    goes_on(installed, run)
    status = run.ended()
    assert (status["phase"], status["output"]) == ("Succeeded", "ok one"), status["message"]
    assert status["usage"]["modelCalls"] == 3


def test_a_run_whose_skill_is_killed_in_a_command_tells_the_model_and_does_nothing_twice(
    installed: Installed, team: str
) -> None:
    run, _ = begun(installed, team, "without-skill", *EFFECTS)
    kill(installed, run, "shell")
    status = run.ended()
    assert (status["phase"], status["output"]) == ("Succeeded", "interrupted one"), status["message"]


def test_a_run_whose_pod_is_deleted_ends_by_name(installed: Installed, team: str) -> None:
    """It is told to end, suspends, and nobody is asked anything: no answer would ever begin another pod."""
    run, pod = begun(installed, team, "podless", {"say": "never said"})
    installed.cluster.kubectl("delete", "pod", pod, "-n", team, "--wait=false")
    status = run.ended()
    assert (status["phase"], status["reason"]) == ("Failed", "Evicted"), status["message"]
    assert status["message"] == "its pod was deleted while it worked"


def test_a_run_goes_on_without_a_controller_and_the_next_one_tells_its_end(installed: Installed, team: str) -> None:
    run, pod = begun(installed, team, "orphan", *EFFECTS)
    kubectl = installed.cluster.kubectl
    label = "app.kubernetes.io/component=controller"
    kubectl("delete", "pod", "-n", SYSTEM, "-l", label, "--grace-period=0", "--force")
    goes_on(installed, run)
    status = run.ended()
    assert (status["phase"], status["output"], status["podName"]) == ("Succeeded", "ok one", pod), status["message"]
    jobs = kubectl("get", "jobs", "-n", team, "-l", f"sympozium.ai/run={status['run']}", "-o", "name").split()
    assert jobs == [f"job.batch/{status['jobName']}"]
    kubectl("rollout", "status", "deployment/sympozium-controller", "-n", SYSTEM, "--timeout=120s")


def test_a_run_whose_gateway_is_killed_goes_on_and_asks_the_provider_for_nothing_twice(
    installed: Installed, team: str
) -> None:
    """A gateway outside the pod, to a provider that counts what it is asked."""
    cluster = installed.cluster
    command = json.dumps({"command": f"{BEGIN}; cat effects", "timeout": 600})
    with provider_server({"calls": [("execute_command", command)]}, {"text": "done"}, host="0.0.0.0") as provider:
        url = f"http://{cluster.host_address}:{provider.port}/v1"
        cluster.kubectl("create", "secret", "generic", "model", "-n", team, "--from-literal=apiKey=not-a-real-key")
        asked = {"name": "openai", "model": "m", "baseURL": url, "apiKeySecret": "model"}
        installed.instance(team, "thinker", provider=asked, skills=["shell"], policy="permissive")
        run = installed.start(team, "thinker", "without-gateway")
        run.pod()
        until(lambda: python(installed, run, "shell", TOUCHED), "the command has begun")
        label = "sympozium.ai/participant=model"
        cluster.kubectl("delete", "pod", "-n", team, "-l", label, "--grace-period=0", "--force")
        goes_on(installed, run)
        status = run.ended()
    assert (status["phase"], status["output"]) == ("Succeeded", "done"), status["message"]
    assert [request["messages"][-1]["role"] for request in provider.requests] == ["user", "tool"]
    assert provider.requests[1]["messages"][-1]["content"].startswith("went\none")
