"""The API server takes the Job of a further attempt, and Pod Security admits its pod where it is restricted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from sympozium_controller.flags import Flags
from sympozium_controller.lifecycle.plan import further
from sympozium_controller.packs import parse_pack
from sympozium_controller.render.kubernetes import Bus
from tests.support.cluster import Cluster
from tests.support.kubernetes_pods import manifests, pod_of

LEVELS = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
BUS = Bus("tls://sympozium-bus.sympozium-system.svc:4222", ca="-----BEGIN CERTIFICATE-----\n", address="10.0.0.7")
SHELL = {"shell": parse_pack("shell", "sidecar: {commands: []}", "Run commands.\n")}


@pytest.fixture(scope="module")
def restricted(cluster: Cluster) -> Iterator[str]:
    with cluster.namespace(**LEVELS) as name:
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "sympozium-run"}}
        cluster.kubectl("create", "-n", name, "-f", "-", stdin=yaml.safe_dump(account))
        yield name


@pytest.fixture
def job(cluster: Cluster, restricted: str) -> dict[str, Any]:
    """Made of the first as the API server has it, with all that it adds."""
    first = manifests(pod_of(SHELL, Flags(input="x", skills=("shell",))), bus=BUS, deadline=700).job
    first["metadata"]["namespace"] = restricted
    words = ("create", "--dry-run=server", "-o", "yaml", "-f", "-")
    return further(yaml.safe_load(cluster.kubectl(*words, stdin=yaml.safe_dump(first))), 2, "run-1")


def test_a_further_job_is_taken_without_a_warning_or_an_unknown_field(cluster: Cluster, job: dict[str, Any]) -> None:
    words = ("create", "--dry-run=server", "--validate=strict", "-f", "-")
    assert cluster.kubectl(*words, stdin=yaml.safe_dump(job), check=False).strip() == (
        "job.batch/run-1-2 created (server dry run)"
    )


def test_its_pod_is_admitted(cluster: Cluster, restricted: str, job: dict[str, Any]) -> None:
    template = job["spec"]["template"]
    metadata = {**template["metadata"], "name": "run-1-2", "namespace": restricted}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    told = cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod), check=False)
    assert told.strip() == "pod/run-1-2 created (server dry run)"
