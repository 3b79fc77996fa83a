"""Runs in a cluster with everything in it, as people have them: what they find, what they are refused, who answers
them, how they are stopped, and what of them may die.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sympozium_protocol.exits import Reason
from tests.support.cluster_node import image
from tests.support.installed import SYSTEM, Installed, Run, scripted, until
from tests.support.provider_server import provider_server

pytestmark = pytest.mark.xdist_group("node")
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


# A pod that crashes


CRASHES = "echo 'fatal: PAYMENTS_DB is not set' >&2; exit 3"


@pytest.fixture
def payments(installed: Installed) -> Iterator[str]:
    """Another namespace, in which a pod crashes again and again beside a Secret."""
    cluster = installed.cluster
    with cluster.namespace() as name:
        container = {"name": "api", "image": image("skill-shell"), "command": ["bash", "-c", CRASHES]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "api", "namespace": name}}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": name}}
        cluster.create(
            [{**pod, "spec": {"containers": [container]}}, {**secret, "stringData": {"PASSWORD": "hunter2"}}]
        )
        back_off = "jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff"
        cluster.wait(back_off, "pod/api", "-n", name, seconds=180)
        yield name


def test_a_run_finds_the_pod_that_crashes_in_a_namespace_that_its_instance_names(
    installed: Installed, team: str, payments: str
) -> None:
    """Under the policy default, which asks nobody for what only reads."""
    steps = (
        call("kubectl_get", "pods", kind="pods", namespace=payments),
        call("kubectl_events", "events", namespace=payments, fieldSelector="type=Warning"),
        call("kubectl_logs", "former", pod="api", namespace=payments, tail=50, previous=True),
        call("kubectl_logs", "log", pod="api", namespace=payments, tail=50),
        {"say": "${pods}\n---\n${events}\n---\n${former}\n${log}"},
    )
    config = {"k8s-ops": {"namespaces": [payments]}}
    installed.instance(team, "operator", provider=scripted(*steps), skills=["k8s-ops"], skillConfig=config)
    status = installed.start(team, "operator", "finds", "the API of payments does not come up").ended()
    assert (status["phase"], status["reason"]) == ("Succeeded", "Completed"), status["message"]
    pods, events, logs = status["output"].split("\n---\n")
    assert re.search(r"^api +0/1 +(CrashLoopBackOff|Error)", pods, re.M)
    assert "Back-off restarting failed container api" in events
    assert "fatal: PAYMENTS_DB is not set" in logs  # of one life or the other: it may begin the next one just then


def test_what_a_run_has_no_rights_for_is_refused_by_the_cluster_and_its_rights_go_with_it(
    installed: Installed, team: str, payments: str
) -> None:
    looks = {
        "secrets": f"kubectl get secrets -n {payments}",
        "elsewhere": f"kubectl get pods -n {SYSTEM}",
        "own": f"kubectl get pods -n {team}",
        "named": f"kubectl get pods -n {payments} -o name",
        "more": f"kubectl create rolebinding more -n {payments} --clusterrole=cluster-admin --user=me",
    }
    steps = [shell(command, name) for name, command in looks.items()]
    said = "\n---\n".join(f"${{{name}}}" for name in looks)
    config = {"k8s-ops": {"namespaces": [payments]}}
    installed.instance(
        team, "prier", provider=scripted(*steps, {"say": said}), skills=["k8s-ops"], skillConfig=config,
        policy="permissive",
    )  # fmt: skip
    run = installed.start(team, "prier", "pries")
    status = run.ended()
    assert status["phase"] == "Succeeded", status["message"]
    answers = dict(zip(looks, status["output"].split("\n---\n"), strict=True))
    assert answers.pop("named") == "pod/api"
    for name, text in answers.items():
        assert "forbidden" in text.lower(), (name, text)
    assert "hunter2" not in status["output"]
    until(
        lambda: not granted(installed, status["run"]),
        "its rights are gone",
        lambda: str(granted(installed, status["run"])),
    )


def granted(installed: Installed, run: str) -> list[str]:
    kinds = "roles,rolebindings,clusterroles,clusterrolebindings"
    found = installed.cluster.kubectl("get", kinds, "-A", "-l", f"sympozium.ai/run={run}", "-o", "name")
    return found.split()


# Policies and people


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
    assert editor.returncode == Reason.BusRefused, editor.stderr
    assert "does not allow this" in editor.stderr
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


# What a person sees


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


# The end before the end


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


# What of a run may die


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


# What is missing


def test_an_image_that_cannot_be_pulled_is_named_in_the_status(installed: Installed, team: str) -> None:
    pack = {
        "apiVersion": "sympozium.ai/v1alpha1",
        "kind": "SkillPack",
        "metadata": {"name": "absent", "namespace": team},
        "spec": {
            "description": "Its image is nowhere.",
            "instructions": "Nothing.",
            "sidecar": {"image": "nowhere.invalid/absent:1", "commands": ["true"]},
        },
    }
    installed.cluster.apply(pack)
    installed.instance(team, "imageless", provider=scripted({"say": "never"}), skills=["absent"])
    run = installed.start(team, "imageless", "imageless")
    run.until(lambda status: status.get("reason") == "ImageUnavailable", "the image is told")
    assert "nowhere.invalid/absent:1" in run.status["message"]
    assert run.status["phase"] == "Pending"
    cancelled_at_once(installed, run)


def test_a_secret_that_is_missing_is_named_in_the_status_and_the_run_goes_on_when_it_is_there(
    installed: Installed, team: str
) -> None:
    config = {"k8s-ops": {"secretRef": "tickets"}}
    spec = {"provider": scripted({"say": "there"}), "skills": ["k8s-ops"], "skillConfig": config}
    installed.instance(team, "keyless", **spec)
    run = installed.start(team, "keyless", "keyless")
    run.until(lambda status: status.get("phase") == "Waiting", "the Secret is told")
    assert run.status["reason"] == "MissingReference"
    assert "tickets" in run.status["message"]
    installed.cluster.kubectl("create", "secret", "generic", "tickets", "-n", team, "--from-literal=TOKEN=x")
    assert run.ended()["output"] == "there"


def cancelled_at_once(installed: Installed, run: Run) -> None:
    """An agent that has not begun need not be asked."""
    patch = '{"spec":{"cancel":true}}'
    installed.cluster.kubectl("patch", "agentrun", run.name, "-n", run.namespace, "--type=merge", "-p", patch)
    assert run.ended()["phase"] == "Cancelled"
