"""What commands about a cluster ask of its API server, and what they say of the answers. The server's are prepared."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sympozium_cli.cluster import reaching
from sympozium_cli.cluster.there import There
from sympozium_protocol.exits import Ended, Reason
from tests.support.canned import Canned, canned

OURS = "/apis/sympozium.ai/v1alpha1"
PACKS = f"{OURS}/namespaces/payments/skillpacks"
SHARED = f"{OURS}/namespaces/sympozium-system/skillpacks"
REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


def forbidden(verb: str, resource: str) -> tuple[int, dict[str, Any]]:
    """As an API server refuses by RBAC."""
    message = f'{resource} is forbidden: User "jo" cannot {verb} resource "{resource}" at the cluster scope'
    return 403, {"kind": "Status", "status": "Failure", "reason": "Forbidden", "message": message, "code": 403}


def table(*rows: tuple[str, str]) -> dict[str, Any]:
    """Packs as (namespace, name)."""
    shown = [{"cells": [name], "object": {"metadata": {"namespace": place, "name": name}}} for place, name in rows]
    return {"kind": "Table", "columnDefinitions": [{"name": "Name"}], "rows": shown}


def listed(*names: str) -> dict[str, Any]:
    items = [{"metadata": {"name": name, "uid": name}} for name in names]
    return {"kind": "List", "metadata": {"resourceVersion": "1"}, "items": items}


class Shell:
    """A person with a kubeconfig for this server."""

    def __init__(self, server: Canned, folder: Path) -> None:
        self.server = server
        self.config = folder / "config"
        self.config.write_text(
            "{apiVersion: v1, kind: Config, current-context: c,"
            " contexts: [{name: c, context: {cluster: c, user: u, namespace: payments}}],"
            f" clusters: [{{name: c, cluster: {{server: '{server.url}'}}}}],"
            " users: [{name: u, user: {token: hers}}]}"
        )
        self.home = folder

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).parent / "sympozium"), *words]
        environment = {**os.environ, "KUBECONFIG": str(self.config), "XDG_STATE_HOME": str(self.home)}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)

    def answers(self, answers: Mapping[str, Any]) -> None:
        self.server.answers = answers


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with canned({}) as server:
        yield Shell(server, tmp_path)


# -- packs ----------------------------------------------------------------------------------------------------


def test_packs_of_the_namespace_are_listed_with_those_that_are_everybody_s(shell: Shell) -> None:
    shell.answers({PACKS: table(("payments", "ledger")), SHARED: table(("sympozium-system", "k8s-ops"))})
    done = shell("skills", "list", "--on", "cluster")

    assert done.stdout.splitlines() == [
        "NAMESPACE          NAME",
        "payments           ledger",
        "sympozium-system   k8s-ops",
    ]
    alone = shell("skills", "list", "--on", "cluster", "-n", "sympozium-system")
    assert alone.stdout.splitlines() == ["NAME", "k8s-ops"]


def test_packs_have_their_namespace_also_where_a_program_reads_them(shell: Shell) -> None:
    shell.answers({PACKS: listed("ledger"), SHARED: listed("k8s-ops")})

    done = shell("skills", "list", "--on", "cluster", "-o", "name")
    assert done.stdout == "skillpack.sympozium.ai/ledger\nskillpack.sympozium.ai/k8s-ops\n"


@pytest.mark.parametrize("output", ["table", "name"])
def test_who_may_not_see_the_packs_of_everybody_sees_the_own_and_is_told(shell: Shell, output: str) -> None:
    own = table(("payments", "ledger")) if output == "table" else listed("ledger")
    shell.answers({PACKS: own, SHARED: forbidden("list", "skillpacks")})
    done = shell("skills", "list", "--on", "cluster", "-o", output)

    assert done.returncode == 0, done.stderr
    assert "ledger" in done.stdout
    assert done.stderr.startswith(
        "! those of sympozium-system, which are everybody's, are not shown: it takes the verb"
    )
    assert done.stderr.count("\n") == 1


# -- installing -----------------------------------------------------------------------------------------------


def test_what_killed_commands_could_not_take_back_goes_with_the_installation(shell: Shell) -> None:
    selected: list[str] = []

    def requests(query: Mapping[str, list[str]]) -> Any:
        selected.extend(query["fieldSelector"])
        return listed("sympozium-abc")

    shell.answers({REQUESTS: requests, f"{REQUESTS}/sympozium-abc": {"kind": "Status", "status": "Success"}})
    done = shell("uninstall", "--yes")

    assert done.returncode == 0, done.stderr
    assert selected == ["spec.signerName=sympozium.ai/bus"]
    assert f"DELETE {REQUESTS}/sympozium-abc" in shell.server.asked
    assert "attestations        1 deleted" in done.stderr


def test_who_may_not_see_these_removes_the_rest(shell: Shell) -> None:
    shell.answers({REQUESTS: forbidden("list", "certificatesigningrequests")})
    done = shell("uninstall", "--yes")

    assert done.returncode == 0, done.stderr
    assert "attestations        ! these stay, and end by themselves: certificatesigningrequests is f" in done.stderr
    assert done.stderr.endswith("removed\n")


def test_who_is_no_administrator_is_told_who_installs(shell: Shell) -> None:
    policies = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies"
    shell.answers({policies: forbidden("list", "mutatingadmissionpolicies")})
    done = shell("install", "--no-wait")

    assert done.returncode == Reason.PolicyDenied
    assert "error: installing takes an administrator of the cluster (the ClusterRole cluster-admin): mut" in done.stderr


# -- what is not there ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("logs", "one", "--on", "cluster"),
        ("approve", "one", "4-1", "--on", "cluster"),
        ("cancel", "one", "--on", "cluster"),
        ("runs", "get", "one"),
        ("runs", "show", "one", "--on", "cluster"),
    ],
)
def test_a_run_that_is_not_there_is_told_with_the_namespace(shell: Shell, words: tuple[str, ...]) -> None:
    told = {"name": "one", "group": "sympozium.ai", "kind": "agentruns"}
    message = 'agentruns.sympozium.ai "one" not found'
    absent = {"kind": "Status", "reason": "NotFound", "message": message, "details": told, "code": 404}
    namespace = {"metadata": {"name": "payments"}}
    run = f"{OURS}/namespaces/payments/agentruns/one"
    shell.answers({run: (404, absent), "/api/v1/namespaces/payments": namespace})
    done = shell(*words)

    assert done.returncode == Reason.RunNotFound
    assert "there is no AgentRun of this name in payments" in done.stderr


@pytest.mark.parametrize("words", [("logs", "one"), ("approve", "one", "4-1"), ("runs", "show", "one")])
def test_a_run_that_this_machine_does_not_have_may_be_one_of_a_cluster(shell: Shell, words: tuple[str, ...]) -> None:
    done = shell(*words)

    assert done.returncode == Reason.RunNotFound
    assert done.stderr.endswith("; one of a cluster is named with --on cluster\n")


@pytest.mark.parametrize("words", [("--on", "cluster"), ("--on=cluster", "--instance", "sre")])
def test_a_memory_of_a_cluster_is_not_said_to_be_missing(shell: Shell, words: tuple[str, ...]) -> None:
    done = shell("memory", "list", *words)

    assert done.returncode == Reason.Usage
    assert "this command looks into memories of this machine alone" in done.stderr


# -- the bus ---------------------------------------------------------------------------------------------------

RUN = f"{OURS}/namespaces/payments/agentruns/one"
BUS_POD = "/api/v1/namespaces/sympozium-system/pods/sympozium-bus-0"
BEGUN = {"phase": "Running", "run": "one-1", "startTime": "2026-11-21T10:00:00Z"}
LOST = {**BEGUN, "phase": "Failed", "reason": "NodeLost", "message": "its node has gone"}


def about_a_run(status: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """What an API server answers about a run that has begun, but for the bus."""
    return {
        RUN: {"metadata": {"name": "one", "namespace": "payments"}, "status": status},
        "/api/v1/namespaces/sympozium-system/configmaps/sympozium-bus-ca": {"data": {"ca.crt": "certificates"}},
        "/apis/authentication.k8s.io/v1/selfsubjectreviews": {"status": {"userInfo": {"username": "jo"}}},
        **more,
    }


def pod(phase: str, *conditions: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": "sympozium-bus-0"}, "status": {"phase": phase, "conditions": list(conditions)}}


UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node has room"}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (pod("Pending", UNSCHEDULABLE), "is Pending: Unschedulable: no node has room"),
        (pod("Running"), "is Running, and not ready"),
        (forbidden("get", "pods"), "cannot be reached (GET "),
    ],
)
def test_a_bus_that_is_not_reached_is_told_by_what_its_pod_says(shell: Shell, answer: object, told: str) -> None:
    shell.answers(about_a_run(BEGUN, **{BUS_POD: answer, f"{BUS_POD}/portforward": (500, {})}))
    done = shell("logs", "one", "--on", "cluster")

    assert done.returncode == Reason.BusRefused
    assert f"error: the bus's pod sympozium-bus-0 {told}" in done.stderr
    assert done.stderr.endswith("; see kubectl get pods -n sympozium-system\n")


def test_a_bus_whose_pod_is_not_there_is_not_said_to_be_uninstalled(shell: Shell) -> None:
    shell.answers(about_a_run(BEGUN))
    done = shell("logs", "one", "--on", "cluster")

    assert done.returncode == Reason.BusRefused
    assert "the bus's pod sympozium-bus-0 is not there; see kubectl get pods" in done.stderr


def test_a_run_of_which_the_bus_has_nothing_is_told_by_its_agent_run(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def forwarding(*_: object) -> Iterator[int]:
        yield 1

    monkeypatch.setattr(reaching, "forwarding", forwarding)
    shell.answers(about_a_run(LOST))
    with (
        pytest.raises(Ended) as told,
        reaching.reached(There(str(shell.config)), "one", "get"),
    ):
        raise Ended(Reason.RunNotFound, "one-1: the bus has no such run in payments")

    assert told.value.reason is Reason.RunNotFound
    assert told.value.message.startswith("one: the bus has no record of it")
    assert told.value.message.endswith("its AgentRun says: Failed NodeLost: its node has gone")


@pytest.mark.parametrize(("text", "told"), [(None, "no such file"), (b"", "is empty"), (b"\xff", "is no text")])
def test_a_token_that_cannot_be_read_is_refused_before_there_is_a_run(
    shell: Shell, tmp_path: Path, text: bytes | None, told: str
) -> None:
    token = tmp_path / "token"
    if text is not None:
        token.write_bytes(text)
    done = shell("run", "--on", "cluster", "--instance", "sre", "look", "--bus-token", str(token))

    assert done.returncode == Reason.Usage
    assert f"--bus-token: {token}: {told}" in done.stderr
    assert shell.server.asked == []
