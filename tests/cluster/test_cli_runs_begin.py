"""Commands about a run of a cluster that has not begun: they say why, wait where that was asked, and tell its end."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import IO, Any

import pytest

from sympozium_protocol.exits import Reason
from tests.support.cluster import Cluster
from tests.support.cluster_accounts import kubeconfig_of
from tests.support.cluster_command import refused, started, sympozium

INSTANCE = {"apiVersion": "sympozium.ai/v1alpha1", "kind": "SympoziumInstance"}
WAITING = {
    "phase": "Waiting",
    "reason": "MissingReference",
    "message": "spec.instanceRef: there is no SympoziumInstance later",
    "waitingFor": "SympoziumInstance/later",
}
PULLING = {"phase": "Pending", "reason": "ImageUnavailable", "message": "image a: not found", "run": "late-1"}
CANCELLED = {
    "phase": "Cancelled",
    "reason": "Cancelled",
    "message": "cancelled before it began",
    "completionTime": "2026-11-21T10:00:00Z",
}


@pytest.fixture
def late(kinds: Cluster, namespace: str) -> str:
    """A namespace with the run ``late``, at which nobody has looked: the test says its status."""
    kinds.create(
        {
            "apiVersion": "sympozium.ai/v1alpha1",
            "kind": "AgentRun",
            "metadata": {"name": "late", "namespace": namespace},
            "spec": {"instanceRef": "later", "input": "look"},
        }
    )
    return namespace


def becomes(cluster: Cluster, namespace: str, status: dict[str, Any]) -> None:
    words = ("--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    cluster.kubectl("patch", "ar", "late", "-n", namespace, *words)


def line(stream: IO[str] | None) -> str:
    """The next one, when it comes."""
    assert stream
    return stream.readline().rstrip("\n")


def test_following_a_run_that_has_not_begun_tells_why_and_then_its_end(kinds: Cluster, late: str) -> None:
    with started(kinds.kubeconfig, "logs", "-f", "late", "--on", "cluster", "-n", late) as process:
        assert line(process.stderr) == "late has not begun: nobody has looked at it yet; does the controller run?"
        becomes(kinds, late, WAITING)
        assert line(process.stderr) == f"Waiting MissingReference: {WAITING['message']}"
        becomes(kinds, late, PULLING)
        assert line(process.stderr) == "Pending ImageUnavailable: image a: not found"
        becomes(kinds, late, CANCELLED)
        shown, said = process.communicate(timeout=60)

    assert said == ""
    assert shown == "run late\nCancelled Cancelled: cancelled before it began\n"
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_has_seen_enough_before_it_began_is_let_go(kinds: Cluster, late: str, number: int) -> None:
    with started(kinds.kubeconfig, "logs", "-f", "late", "--on", "cluster", "-n", late) as process:
        line(process.stderr)
        process.send_signal(number)
        assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0


def test_a_run_that_begins_meanwhile_is_read_from_the_bus(kinds: Cluster, late: str) -> None:
    """Which is not there in this cluster: that it is asked for is what can be seen."""
    kubeconfig = kinds.kubeconfig
    with started(kubeconfig, "logs", "-f", "late", "--on", "cluster", "-n", late) as process:
        line(process.stderr)
        becomes(kinds, late, {"phase": "Running", "run": "late-1", "startTime": "2026-11-21T10:00:00Z"})
        process.wait(60)
        assert process.stderr
        said = process.stderr.read()
    assert "the cluster has no bus, through which runs are read and answered" in said
    assert said.endswith("install it with: sympozium install\n")


def test_a_run_at_which_nobody_looks_is_told_by_run_too(kinds: Cluster, namespace: str) -> None:
    with started(kinds.kubeconfig, "run", "--on", "cluster", "--instance", "sre", "-n", namespace, "hi") as process:
        lines = [line(process.stderr) for _ in range(3)]

    assert lines[0] == f"! there is no SympoziumInstance sre in {namespace}: the run waits for it"
    assert lines[2].startswith("! nobody has looked at it yet; does the controller run? (kubectl get pods -n ")


def test_an_instance_that_is_nearly_called_so_is_asked_for(kinds: Cluster, namespace: str) -> None:
    spec = {"provider": {"name": "scripted"}}
    for name in ("slow", "careful"):
        metadata = {"name": name, "namespace": namespace}
        kinds.create({**INSTANCE, "metadata": metadata, "spec": spec})

    with started(kinds.kubeconfig, "run", "--on", "cluster", "--instance", "slwo", "-n", namespace, "hi") as process:
        said = line(process.stderr)

    assert said == f"! there is no SympoziumInstance slwo in {namespace} (is slow meant?): the run waits for it"


@pytest.mark.parametrize(
    ("words", "kind", "reason"),
    [
        (("logs", "none", "--on", "cluster"), "AgentRun", Reason.RunNotFound),
        (("logs", "-f", "none", "--on", "cluster"), "AgentRun", Reason.RunNotFound),
        (("approve", "none", "1-1", "--on", "cluster"), "AgentRun", Reason.RunNotFound),
        (("runs", "get", "none"), "AgentRun", Reason.RunNotFound),
        (("cancel", "none", "--on", "cluster"), "AgentRun", Reason.RunNotFound),
        (("instances", "get", "none"), "SympoziumInstance", Reason.MissingReference),
        (("instances", "delete", "none"), "SympoziumInstance", Reason.MissingReference),
    ],
)
def test_what_is_not_there_is_told_with_where_it_was_looked_for(
    kinds: Cluster, namespace: str, words: tuple[str, ...], kind: str, reason: Reason
) -> None:
    code, said = refused(kinds.kubeconfig, *words, "-n", namespace)

    assert code == reason
    assert said.endswith(f"none: there is no {kind} of this name in {namespace}\n")


def test_without_follow_it_is_told_why_it_has_not_begun_and_how_to_wait(kinds: Cluster, late: str) -> None:
    words = ("logs", "late", "--on", "cluster", "-n", late)
    _, said = refused(kinds.kubeconfig, *words)
    assert "late: has not begun (nobody has looked at it yet" in said

    becomes(kinds, late, WAITING)
    code, said = refused(kinds.kubeconfig, *words)

    assert code == Reason.RunNotFound
    assert f"late: has not begun (Waiting MissingReference: {WAITING['message']})" in said
    assert f"to wait for it: sympozium logs late -f --on cluster -n {late}" in said


@pytest.mark.parametrize("follow", [(), ("-f",)])
def test_the_end_of_a_run_that_never_began_is_told(kinds: Cluster, late: str, follow: tuple[str, ...]) -> None:
    becomes(kinds, late, CANCELLED)

    code, shown, said = sympozium(kinds.kubeconfig, "logs", *follow, "late", "--on", "cluster", "-n", late)

    assert (code, said) == (0, "")
    assert shown == "run late\nCancelled Cancelled: cancelled before it began\n"


def test_what_never_began_and_has_ended_takes_no_answer(kinds: Cluster, late: str) -> None:
    becomes(kinds, late, CANCELLED)

    code, said = refused(kinds.kubeconfig, "approve", "late", "1-1", "--on", "cluster", "-n", late)

    assert code == Reason.RunFinished
    assert "late: has ended (Cancelled Cancelled: cancelled before it began)" in said


# -- who may ------------------------------------------------------------------------------------------------


@pytest.fixture
def viewer(kinds: Cluster, late: str, tmp_path: Path) -> Path:
    """The kubeconfig of an account that may read what is in the namespace."""
    kinds.kubectl("create", "serviceaccount", "vera", "-n", late)
    kinds.kubectl(
        "create", "rolebinding", "vera", "-n", late, "--clusterrole=sympozium-view", f"--serviceaccount={late}:vera"
    )
    return kubeconfig_of(kinds, late, "vera", tmp_path)


@pytest.mark.parametrize(
    ("words", "done", "verb"),
    [
        (("approve", "late", "1-1"), "answer for", "approve"),
        (("deny", "late", "1-1"), "answer for", "approve"),
        (("send", "late", "hello"), "speak to", "send"),
    ],
)
def test_who_may_not_is_told_the_right_that_it_takes_and_a_role_with_it(
    kinds: Cluster, late: str, viewer: Path, words: tuple[str, ...], done: str, verb: str
) -> None:
    becomes(kinds, late, {"phase": "Running", "run": "late-1", "startTime": "2026-11-21T10:00:00Z"})

    code, said = refused(viewer, *words, "--on", "cluster", "-n", late)

    assert code == Reason.PolicyDenied
    assert f"late: system:serviceaccount:{late}:vera may not {done} this run" in said
    assert f"the verb {verb} on agentruns.sympozium.ai in namespace {late}" in said
    assert "the ClusterRoles admin and sympozium-admin have it" in said


def test_who_may_not_even_read_is_told_a_role_that_may(kinds: Cluster, late: str, viewer: Path, namespace: str) -> None:
    with kinds.namespace() as other:
        code, said = refused(viewer, "runs", "list", "--on", "cluster", "-n", other)

    assert code == Reason.PolicyDenied
    assert 'cannot list resource "agentruns"' in said
    assert f"the ClusterRoles view and sympozium-view have it, bound in {other}" in said


def test_who_may_not_read_all_namespaces_is_told_how_the_role_is_bound(viewer: Path) -> None:
    _, said = refused(viewer, "runs", "list", "--on", "cluster", "-A")

    assert "the ClusterRoles view and sympozium-view have it, by a ClusterRoleBinding" in said


def test_who_may_not_cancel_is_told_a_role_that_may(late: str, viewer: Path) -> None:
    _, said = refused(viewer, "cancel", "late", "--on", "cluster", "-n", late)

    assert "the ClusterRoles edit and sympozium-edit have it" in said


# -- namespaces -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("instances", "list"),
        ("instances", "list", "-o", "yaml"),
        ("instances", "get", "sre"),
        ("instances", "delete", "sre"),
        ("run", "--on", "cluster", "--instance", "sre", "look"),
        ("logs", "one", "--on", "cluster"),
        ("logs", "-f", "one", "--on", "cluster"),
        ("approve", "one", "1-1", "--on", "cluster"),
        ("cancel", "one", "--on", "cluster"),
    ],
    ids=" ".join,
)
def test_a_namespace_that_is_not_there_is_what_is_told(kinds: Cluster, words: tuple[str, ...]) -> None:
    code, said = refused(kinds.kubeconfig, *words, "-n", "nowhere")

    assert code == Reason.MissingReference
    assert said == (
        "error: the cluster has no namespace nowhere: kubectl create namespace nowhere, or name another with -n\n"
    )


@pytest.mark.parametrize("name", ["Team_A", "-a", "a" * 64])
def test_what_is_no_name_of_a_namespace_is_told_so(kinds: Cluster, name: str) -> None:
    for words in (("instances", "list"), ("run", "--on", "cluster", "--instance", "sre", "look")):
        code, said = refused(kinds.kubeconfig, *words, f"--namespace={name}")

        assert code == Reason.Usage
        assert f"--namespace: {name}: is no name of a namespace" in said


def test_a_namespace_that_a_document_names_and_is_not_there_is_told_with_it(kinds: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(
        "apiVersion: sympozium.ai/v1alpha1\nkind: SympoziumInstance\nmetadata: {name: sre, namespace: nowhere}\n"
        "spec: {provider: {name: scripted}}\n"
    )

    for words in (("instances", "apply", "-f", str(file)), ("run", "--on", "cluster", "-f", str(file), "look")):
        _, said = refused(kinds.kubeconfig, *words)
        assert "the cluster has no namespace nowhere" in said


def test_a_namespace_without_what_is_looked_for_is_empty_and_no_error(kinds: Cluster, namespace: str) -> None:
    code, shown, said = sympozium(kinds.kubeconfig, "instances", "list", "-n", namespace)

    assert (code, shown, said) == (0, "", f"No resources found in {namespace} namespace.\n")


# -- what the cluster refuses -----------------------------------------------------------------------------------


def test_what_only_the_cluster_refuses_is_told_field_by_field(kinds: Cluster, namespace: str, tmp_path: Path) -> None:
    file = tmp_path / "pack.yaml"
    file.write_text(
        "apiVersion: sympozium.ai/v1alpha1\nkind: SkillPack\nmetadata: {name: a.b}\nspec: {description: x}\n"
    )

    code, said = refused(kinds.kubeconfig, "instances", "apply", "-f", str(file), "-n", namespace)

    assert code == Reason.InvalidDocument
    assert "skillpack.sympozium.ai/a.b" in said
    assert 'metadata.name: "a.b" must be a name of at most 63 small letters, digits and -' in said
    assert "should match" not in said
