"""Words about clusters: what the command line takes, what it refuses and why, before any server is asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sympozium_cli.cluster import readiness
from sympozium_cli.cluster.applying import Document
from sympozium_cli.cluster.connecting import ended
from sympozium_cli.cluster.ending import outcome_of_status, state_of
from sympozium_cli.cluster.planning import Said, plan
from sympozium_cli.cluster.tables import as_yaml, lines_of, rows_of
from sympozium_cli.cluster.there import There, there_of
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import digest
from sympozium_protocol.kube.errors import error_of

INSTANCE = """
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumInstance
metadata: {name: sre}
spec: {provider: {name: scripted}}
"""


def sympozium(*words: str, kubeconfig: str = "/nowhere/config") -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    environment = {**os.environ, "KUBECONFIG": kubeconfig}
    command = [str(Path(sys.executable).parent / "sympozium"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    return done.returncode, done.stdout, done.stderr


def document(kind: str, name: str, namespace: str = "", **spec: Any) -> Document:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    value = {"apiVersion": "sympozium.ai/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
    return Document(value, "here.yaml")


def run(name: str = "look", **spec: Any) -> Document:
    return document("AgentRun", name, **{"instanceRef": "sre", "input": "look", **spec})


# -- the command line -----------------------------------------------------------------------------------------


def test_a_kubeconfig_that_is_not_there_is_named() -> None:
    code, _, said = sympozium("instances", "list")

    assert code == Reason.Usage
    assert "/nowhere/config: there is no kubeconfig here" in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "--on", "cluster", "hello", "--provider", "openai"), "--provider: describes an instance"),
        (("run", "--on", "cluster", "hello", "--replay", "one"), "--replay: only for runs of this machine"),
        (("run", "--on", "cluster", "hello", "--dir", "d", "--tag", "1"), "--dir, --tag: only for runs of this mac"),
        (("run", "--on", "cluster", "--instance", "sre", "hi", "--bus-token", "/no/t"), "--bus-token: /no/t: no such"),
        (("runs", "list", "-o", "nmae"), "'nmae' is not one of 'text', 'json', 'table', 'wide', 'yaml', 'name'"),
        (("logs", "one", "--on", "clutser"), "'clutser' is not one of 'cluster'"),
        (("run", "--on", "cluster", "hello"), "--instance: missing"),
        (("run", "--on", "cluster", "--instance", "sre"), "INPUT: missing"),
        (("run", "hello", "--context", "c"), "--context: needs --on cluster"),
        (("run", "hello", "-n", "c"), "--namespace: needs --on cluster"),
        (("logs", "one", "--kubeconfig", "c"), "--kubeconfig: needs --on cluster"),
        (("logs", "one", "--on", "cluster", "--bus", "nats://h:4222"), "--bus: a cluster has its own"),
        (("cancel", "one", "--on", "cluster", "--reason", "why"), "--reason: an AgentRun"),
        (("runs", "list", "-n", "team"), "--namespace: needs --on cluster, or --bus"),
        (("logs", "one", "-n", "team"), "--namespace: needs --on cluster, or --bus"),
        (("run", "hi", "--output", "xml"), "Invalid value for '--output': 'xml' is not one of 'text', 'json'"),
        (("runs", "list", "-A"), "--all-namespaces: needs --on cluster"),
        (("runs", "list", "-o", "yaml"), "--output: yaml needs --on cluster"),
        (("install", "--bus-storage", "much"), "--bus-storage: 'much'"),
        (("install", "--timeout", "soon"), "--timeout: must be a duration"),
        (("install", "--timeout", "0s"), "--timeout: 0s: must be more"),
        (("uninstall", "--timeout", "0s"), "--timeout: 0s: must be more"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(words: tuple[str, ...], told: str) -> None:
    code, _, said = sympozium(*words)

    assert code == Reason.Usage
    assert told in said


def test_a_dry_run_prints_what_would_be_applied_and_created(tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(INSTANCE)

    code, shown, _ = sympozium(
        "run", "--on", "cluster", "-f", str(file), "look around", "--max-steps", "3", "--dry-run"
    )

    assert code == 0
    assert "kind: SympoziumInstance" in shown
    assert "generateName: sre-" in shown
    assert "steps: 3" in shown


def test_a_fault_in_a_document_is_told_by_file_and_field_before_anything_is_applied(tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(INSTANCE.replace("scripted", "scripted, colour: red"))

    code, _, said = sympozium("instances", "apply", "-f", str(file))

    assert code == Reason.InvalidDocument
    assert f"{file}: spec.provider.colour" in said


def test_what_would_be_installed_is_printed_without_a_cluster() -> None:
    code, shown, said = sympozium("install", "--dry-run", "--image-tag", "1.0")

    assert code == 0
    assert "kind: CustomResourceDefinition" in shown
    assert "sympozium/controller:1.0" in shown
    assert "no cluster was asked" in said


def test_commands_that_need_no_cluster_do_not_load_its_client() -> None:
    script = (
        "import sys; from sympozium_cli.__main__ import run; run(['version']); "
        "sys.exit(any(name.split('.')[0] in ('kubernetes', 'aiohttp', 'nats') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0


# -- what run makes -------------------------------------------------------------------------------------------


def test_each_run_is_a_new_one_named_after_the_document_s() -> None:
    found = plan([run("look")], Said())

    assert found.run["metadata"] == {"generateName": "look-"}
    assert found.run["spec"] == {"instanceRef": "sre", "input": "look"}
    assert found.applied == ()


def test_text_on_the_command_line_stands_in_for_the_document_s() -> None:
    assert plan([run()], Said(text="elsewhere")).run["spec"]["input"] == "elsewhere"


def test_the_only_instance_of_the_documents_is_meant_and_its_namespace() -> None:
    found = plan([document("SympoziumInstance", "sre", "payments")], Said(text="look"))

    assert found.run["spec"]["instanceRef"] == "sre"
    assert found.namespace == "payments"
    assert [one.name for one in found.applied] == ["sre"]


@pytest.mark.parametrize(
    ("own", "said", "wanted"),
    [
        ({}, Said(timeout="5m", steps=3), {"timeout": "5m", "steps": 3}),
        ({"timeout": "2m", "steps": 2}, Said(timeout="5m", steps=3), {"timeout": "2m", "steps": 2}),
        ({"timeout": "9m", "steps": 0}, Said(timeout="5m", steps=3), {"timeout": "5m", "steps": 3}),
        ({"tokens": 10}, Said(tokens=0), {"tokens": 10}),
    ],
)
def test_limits_only_tighten(own: dict[str, Any], said: Said, wanted: dict[str, Any]) -> None:
    assert plan([run(limits=own)], said).run["spec"]["limits"] == wanted


@pytest.mark.parametrize(
    ("documents", "said", "told"),
    [
        ([run("a"), run("b")], Said(), "several AgentRuns: a, b"),
        ([run(cancel=True)], Said(), "cancelled already"),
        ([run(policy="strict")], Said(policy="other"), "names strict already"),
        ([document("SympoziumInstance", "a"), document("SympoziumInstance", "b")], Said(text="x"), "several Sympozium"),
        ([document("SympoziumInstance", "a", "one")], Said(text="x", namespace="two"), "the document says one"),
    ],
)
def test_what_is_not_one_run_is_refused(documents: list[Document], said: Said, told: str) -> None:
    with pytest.raises(Ended, match=told) as refused:
        plan(documents, said)
    assert refused.value.reason is Reason.Usage


# -- what is shown --------------------------------------------------------------------------------------------


def table(*rows: tuple[object, ...]) -> dict[str, Any]:
    columns = [{"name": "Name"}, {"name": "Phase"}, {"name": "Why", "priority": 1}]
    return {
        "columnDefinitions": columns,
        "rows": [{"cells": list(cells), "object": {"metadata": {"namespace": "here"}}} for cells in rows],
    }


def test_a_table_is_the_server_s_and_wide_has_all_of_it() -> None:
    found = table(("one", "Running", "because"), ("another", None, ""))

    assert list(lines_of(rows_of(found, namespaces=False, wide=False))) == [
        "NAME      PHASE",
        "one       Running",
        "another   <none>",
    ]
    wide = list(lines_of(rows_of(found, namespaces=True, wide=True)))
    assert wide[1:] == [
        "here        one       Running   because",
        "here        another   <none>    <none>",
    ]


def test_nothing_in_a_cell_or_in_yaml_acts_on_a_terminal() -> None:
    hostile = "a\x1b[2Jb\nc"

    shown = "\n".join(lines_of(rows_of(table((hostile, "", "")), namespaces=False, wide=False)))
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 2
    assert "\x1b" not in as_yaml({"a": hostile}, ascii_only=True)


def test_text_of_several_lines_is_a_block_in_yaml() -> None:
    assert as_yaml({"prompt": "one\ntwo\n"}, ascii_only=True) == "prompt: |\n  one\n  two\n"


@pytest.mark.parametrize(
    ("status", "reason", "wanted"),
    [
        (422, "Invalid", Reason.InvalidDocument),
        (403, "Forbidden", Reason.PolicyDenied),
        (404, "NotFound", Reason.MissingReference),
        (409, "Conflict", Reason.Usage),
        (503, "ServiceUnavailable", Reason.EngineLost),
    ],
)
def test_refusals_of_a_server_have_an_exit_code_of_their_decade(status: int, reason: str, wanted: Reason) -> None:
    known: Any = SimpleNamespace(server="https://there", context="")
    found = ended(error_of(status, {"reason": reason, "message": "no"}), known, "AgentRun one")

    assert found.reason is wanted
    assert found.message == "AgentRun one: no"


def finished(**status: Any) -> dict[str, Any]:
    usual = {"phase": "Succeeded", "reason": "Completed", "run": "one-0", "output": "42", "outputDigest": digest(b"42")}
    made = {"name": "one", "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": made, "status": {**usual, **status}}


def test_a_run_s_answer_is_its_output_when_that_is_whole() -> None:
    found = outcome_of_status(finished())

    assert (found.reason, found.answer) == (Reason.Completed, "42")


def test_the_beginning_of_an_answer_is_not_the_answer() -> None:
    assert outcome_of_status(finished(outputDigest="0" * 64, outputSize=99)).answer is None


@pytest.mark.parametrize(
    ("phase", "word", "wanted"),
    [
        ("Failed", "Timeout", Reason.Timeout),
        ("Failed", "SomethingNewer", Reason.InternalError),
        ("Failed", "Completed", Reason.InternalError),
        ("Cancelled", "Cancelled", Reason.Cancelled),
    ],
)
def test_a_reason_is_the_exit_code_and_an_unknown_one_is_no_success(phase: str, word: str, wanted: Reason) -> None:
    assert outcome_of_status(finished(phase=phase, reason=word)).reason is wanted


def test_where_a_run_stands_is_one_line() -> None:
    waiting = {"status": {"phase": "Waiting", "reason": "MissingReference", "message": "no Secret key"}}

    assert state_of(waiting) == "Waiting MissingReference: no Secret key"
    assert state_of({}) == ""


def test_options_lead_another_command_to_the_same_place() -> None:
    assert There("", "kind", "").words("payments") == "--on cluster --context kind -n payments"
    assert there_of("", "", "", "anything") is None


# -- what is waited for ---------------------------------------------------------------------------------------


def deployment(**status: int) -> dict[str, Any]:
    return {"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status}


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({"observedGeneration": 1}, "has not been looked at yet"),
        ({"observedGeneration": 2, "updatedReplicas": 1, "replicas": 3}, "1 of 2 pods are new"),
        ({"observedGeneration": 2, "updatedReplicas": 2, "replicas": 3, "availableReplicas": 3}, "1 old pods"),
        ({"observedGeneration": 2, "updatedReplicas": 2, "replicas": 2, "availableReplicas": 1}, "1 of 2 pods are av"),
        ({"observedGeneration": 2, "updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}, ""),
    ],
)
def test_a_deployment_is_there_when_all_its_new_pods_are(status: dict[str, int], told: str) -> None:
    found = readiness.missing(deployment(**status))

    assert found.startswith(told)
    assert bool(found) == bool(told)


def test_a_job_that_failed_is_not_waited_for() -> None:
    failed = {"type": "Failed", "status": "True", "message": "no room"}
    with pytest.raises(readiness.Hopeless, match="no room"):
        readiness.missing({"kind": "Job", "metadata": {}, "status": {"conditions": [failed]}})


def test_what_keeps_a_pod_from_starting_is_told_in_the_cluster_s_words() -> None:
    waiting = {"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}
    quiet = {"state": {"waiting": {"reason": "ContainerCreating"}}}
    pod = {"metadata": {"name": "one"}, "status": {"containerStatuses": [waiting, quiet]}}

    assert readiness.troubles([pod]) == ("pod one: ErrImagePull: not found",)


# -- documents on standard input ------------------------------------------------------------------------------


def on_standard_input(text: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "sympozium"), *words]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=120)


def test_what_is_wrong_in_documents_on_standard_input_is_told_as_of_any_other() -> None:
    done = on_standard_input(INSTANCE.replace("scripted", "scripted, colour: red"), "instances", "apply", "-f", "-")

    assert done.returncode == Reason.InvalidDocument
    assert "standard input: spec.provider.colour" in done.stderr


def test_documents_on_standard_input_make_a_run_of_a_cluster_and_none_of_this_machine() -> None:
    words = ("run", "-f", "-", "look around", "--dry-run")

    assert "kind: SympoziumInstance" in on_standard_input(INSTANCE, *words, "--on", "cluster").stdout
    assert "--file: -: must be a file" in on_standard_input(INSTANCE, *words).stderr
