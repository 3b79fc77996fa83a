"""Runs in a cluster with everything in it: what they find, what they are refused, and what they wait for."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.cluster_node import image
from tests.support.installed import SYSTEM, Installed, Run, scripted, until
from tests.support.whole_runs import call, shell, team

__all__ = ["team"]

pytestmark = pytest.mark.xdist_group("node")


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
