"""sympozium install and uninstall against a real API server: all of it is accepted, twice is once, nothing is left."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sympozium_protocol.exits import Reason
from sympozium_protocol.kube.attested import new_secret, request_of
from tests.support.cluster import Cluster, Refused
from tests.support.installing import KINDS, bare_cluster, install, names, sympozium, uninstall

INSTANCE = {
    "apiVersion": "sympozium.ai/v1alpha1",
    "kind": "SympoziumInstance",
    "metadata": {"name": "sre", "namespace": "default"},
    "spec": {"provider": {"name": "scripted"}},
}
POLICY = {
    "apiVersion": "sympozium.ai/v1alpha1",
    "kind": "SympoziumPolicy",
    "metadata": {"name": "quiet", "namespace": "default"},
    "spec": {"template": "Restrictive", "sandbox": {"enabled": True}},
}
RUN = {
    "apiVersion": "sympozium.ai/v1alpha1",
    "kind": "AgentRun",
    "metadata": {"name": "look", "namespace": "default", "finalizers": ["sympozium.ai/test"]},
    "spec": {"instanceRef": "sre", "input": "look"},
}


@pytest.fixture(scope="module")
def bare() -> Iterator[Cluster]:
    with bare_cluster() as found:
        yield found


def unasked(cluster: Cluster) -> None:
    """Nobody answers at admission here: there is no node."""
    cluster.kubectl("delete", "validatingwebhookconfiguration", "sympozium-admission", "--ignore-not-found")


LATE = "There can be a delay between when CustomResourceDefinitions are created and when they are available"
"""What the server's admission says of kinds that were defined a moment ago; what it knows it may lose for a while."""


def create(cluster: Cluster, *documents: dict[str, Any]) -> None:
    """As soon as the server's admission knows their kinds, which were defined a moment ago."""
    ends = time.monotonic() + 60
    for one in documents:
        while True:
            try:
                cluster.create(one)
                break
            except Refused as refused:
                if "ServiceUnavailable" not in str(refused) or time.monotonic() > ends:
                    raise
                time.sleep(0.2)


def versions(cluster: Cluster) -> dict[str, str]:
    """Of everything that an installation made; of what has a status, of the rest of it."""
    kinds = (*KINDS, "networkpolicy", "serviceaccount", "secret", "configmap", "service", "role", "rolebinding")
    found = json.loads(
        cluster.kubectl(
            "get", ",".join(kinds), "-A", "-l", "app.kubernetes.io/managed-by=sympozium-install", "-o", "json"
        )
    )
    return {
        f"{one['kind']}/{one['metadata']['name']}": str(
            one["metadata"].get("generation") or one["metadata"]["resourceVersion"]
        )
        for one in found["items"]
    }


def test_everything_is_accepted_and_a_second_time_changes_nothing_and_removing_leaves_nothing(bare: Cluster) -> None:
    before = names(bare)

    first = install(bare)
    made = versions(bare)
    second = install(bare)

    assert "configured" not in first
    assert "created" not in second
    assert "configured" not in second
    assert versions(bare) == made
    said = uninstall(bare)
    assert said.endswith("removed\n")
    assert names(bare) == before


def test_what_a_former_installation_had_more_is_taken_away(bare: Cluster) -> None:
    install(bare)
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "sympozium-former", "labels": {"app.kubernetes.io/managed-by": "sympozium-install"}},
        "rules": [],
    }
    bare.apply(role)

    assert "of former versions  1 deleted" in install(bare)
    assert "sympozium-former" not in bare.kubectl("get", "clusterrole", "-o", "name")


def test_an_object_of_somebody_else_is_not_taken_over(bare: Cluster) -> None:
    uninstall(bare)
    bare.apply(
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": "sympozium-system"},
            "value": 7,
        }
    )
    try:
        code, _, said = sympozium(bare, "install", "--no-wait")
    finally:
        bare.kubectl("delete", "priorityclass", "sympozium-system")

    assert code == Reason.Usage
    assert "PriorityClass sympozium-system: is there already" in said


def test_what_does_not_come_is_named_with_why(bare: Cluster) -> None:
    """There is no node: the first pod that is wanted stays Pending."""
    code, _, said = sympozium(bare, "install", "--timeout", "3s")

    assert code == Reason.EngineLost
    assert "Job sympozium-system/sympozium-bus-keys" in said
    assert "Unschedulable" in said


def test_people_s_objects_go_too_and_nobody_who_should_have_tidied_up_is_waited_for(bare: Cluster) -> None:
    install(bare)
    unasked(bare)
    create(bare, INSTANCE, POLICY, RUN)

    said = uninstall(bare, "--timeout", "30s")

    assert "1 AgentRun, 1 SympoziumInstance, 1 SympoziumPolicy" in said.replace("8 SkillPacks, ", "")
    assert "nobody tidied up after AgentRun default/look" in said
    assert "sympozium" not in bare.kubectl("get", "crd", "-o", "name")


def test_attestations_that_killed_commands_left_go_too_and_no_request_of_others(bare: Cluster) -> None:
    left, others = request_of(new_secret()), request_of(new_secret())
    others["spec"]["signerName"] = "example.com/others"
    bare.create([left, others])

    assert "attestations        1 deleted" in uninstall(bare)
    assert bare.kubectl("get", "csr", "-o", "name").split() == [
        f"certificatesigningrequest.certificates.k8s.io/{others['metadata']['name']}"
    ]
    bare.kubectl("delete", "csr", "--all")


def test_who_has_no_right_but_is_known_sees_the_packs_that_are_for_all_and_nothing_else(bare: Cluster) -> None:
    install(bare)

    def may(verb: str, resource: str) -> bool:
        asked = (
            "auth",
            "can-i",
            verb,
            resource,
            "-n",
            "sympozium-system",
            "--as=jo",
            "--as-group=system:authenticated",
        )
        return bare.kubectl(*asked, check=False).strip() == "yes"

    assert may("list", "skillpacks.sympozium.ai")
    assert not may("update", "skillpacks.sympozium.ai")
    assert not may("list", "secrets")
    assert not may("list", "agentruns.sympozium.ai")
    uninstall(bare)


def test_data_that_is_kept_is_there_for_the_next_installation(bare: Cluster) -> None:
    install(bare)
    unasked(bare)
    create(bare, INSTANCE)

    address = address_of_bus(bare)

    said = uninstall(bare, "--keep-data")
    assert said.splitlines()[-1] == (
        "kept: all objects, and in sympozium-system the bus's volume (sympozium-bus), keys and address"
    )
    claim = bare.get("pvc", "-n", "sympozium-system")["items"]
    kept = bare.get("sympoziuminstance", "sre", "-n", "default")
    install(bare)

    assert [one["metadata"]["name"] for one in claim] == ["sympozium-bus"]
    assert bare.get("sympoziuminstance", "sre", "-n", "default")["metadata"]["uid"] == kept["metadata"]["uid"]
    assert address_of_bus(bare) == address  # pods of runs that go on have it
    uninstall(bare)


def address_of_bus(cluster: Cluster) -> str:
    return str(cluster.get("service", "sympozium-bus", "-n", "sympozium-system")["spec"]["clusterIP"])


def test_data_that_cannot_be_kept_is_told_before_and_after(bare: Cluster) -> None:
    """The bus of an installation without a volume has what it has in its pod."""
    uninstall(bare)
    install(bare, "--bus-storage", "none")

    before, *_, after = uninstall(bare, "--keep-data").splitlines()

    for line in (before, after):
        assert "all objects, and in sympozium-system the bus's keys; what the bus had goes with its pod" in line
    assert bare.get("pvc", "-n", "sympozium-system")["items"] == []
    uninstall(bare)


def test_without_a_terminal_removing_wants_to_be_told_yes(bare: Cluster) -> None:
    code, _, said = sympozium(bare, "uninstall")

    assert code == Reason.Usage
    assert "--yes" in said


def test_objects_are_applied_shown_and_deleted_as_kubectl_does(bare: Cluster, tmp_path: Path) -> None:
    install(bare)
    unasked(bare)
    create(bare, INSTANCE)
    bare.kubectl("delete", "sympoziuminstance", "sre", "-n", "default")
    file = tmp_path / "agent.yaml"
    file.write_text(json.dumps({**INSTANCE, "metadata": {"name": "sre"}}))

    ends = time.monotonic() + 60

    def did(*words: str) -> str:
        code, shown, said = sympozium(bare, *words)
        while LATE in said and time.monotonic() < ends:
            code, shown, said = sympozium(bare, *words)
        assert code == 0, said
        return shown

    assert did("instances", "apply", "-f", str(file), "--dry-run").endswith("sre created (server dry run)\n")
    assert did("instances", "apply", "-f", str(file)) == "sympoziuminstance.sympozium.ai/sre created\n"
    assert did("instances", "apply", "-f", str(file)) == "sympoziuminstance.sympozium.ai/sre unchanged\n"
    assert typed(bare, file.read_text(), "instances", "apply", "-f", "-") == did("instances", "apply", "-f", str(file))
    assert did("instances", "list").splitlines()[1].startswith("sre ")
    assert did("instances", "list", "-A").splitlines()[1].startswith("default ")
    one: dict[str, Any] = json.loads(did("instances", "get", "sre", "-o", "json"))
    assert one["metadata"]["name"] == "sre"
    assert "managedFields" not in one["metadata"]
    assert did("skills", "list", "--on", "cluster", "-n", "sympozium-system", "-o", "name").count("skillpack") == 8
    assert sympozium(bare, "policies", "list")[2] == "No resources found in default namespace.\n"
    assert did("instances", "delete", "sre") == "sympoziuminstance.sympozium.ai/sre deleted\n"
    assert sympozium(bare, "instances", "get", "sre")[0] == Reason.MissingReference
    uninstall(bare)


def typed(cluster: Cluster, text: str, *words: str) -> str:
    """What is printed by a command that reads this on its standard input."""
    command = [str(Path(sys.executable).parent / "sympozium"), *words, "--kubeconfig", str(cluster.kubeconfig)]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=300).stdout


def test_without_an_installation_the_command_says_what_is_missing(bare: Cluster) -> None:
    uninstall(bare)
    code, _, said = sympozium(bare, "instances", "list")

    assert code == Reason.MissingReference
    assert "sympozium install" in said
