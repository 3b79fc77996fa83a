"""The API server takes the Jobs of the examples, and Pod Security admits their pods where it is restricted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cluster import Cluster

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "kubernetes").glob("*.yaml"))
LEVELS = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
SANDBOX = {
    "apiVersion": "node.k8s.io/v1",
    "kind": "RuntimeClass",
    "metadata": {"name": "gvisor"},
    "handler": "runsc",
}


@pytest.fixture(scope="module")
def restricted(cluster: Cluster) -> Iterator[str]:
    """A namespace with the account of runs. Where the cluster has no sandbox of this name, its class at least."""
    cluster.apply(SANDBOX)
    with cluster.namespace(**LEVELS) as name:
        cluster.create(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "sympozium-run", "namespace": name}}
        )
        yield name


def documents(file: Path, namespace: str) -> list[dict[str, Any]]:
    found = list(yaml.safe_load_all(file.read_text()))
    for one in found:
        one["metadata"]["namespace"] = namespace
    return found


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_an_examples_job_is_taken_without_a_warning_or_an_unknown_field(
    file: Path, cluster: Cluster, restricted: str
) -> None:
    text = yaml.safe_dump_all(documents(file, restricted))
    words = ("create", "--dry-run=server", "--validate=strict", "-f", "-")
    told = cluster.kubectl(*words, stdin=text, check=False)
    assert told.strip() == "job.batch/run-1 created (server dry run)"


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_an_examples_pod_is_admitted(file: Path, cluster: Cluster, restricted: str) -> None:
    """The Job controller makes it out of anybody's sight: here it is asked for by hand."""
    [job] = documents(file, restricted)
    template = job["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": "run-1", "namespace": restricted},
        "spec": template["spec"],
    }
    told = cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod), check=False)
    assert told.strip() == "pod/run-1 created (server dry run)"


def test_the_namespace_does_refuse_what_is_not_restricted(cluster: Cluster, restricted: str) -> None:
    spec = {"containers": [{"name": "x", "image": "x", "securityContext": {"privileged": True}}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": restricted}, "spec": spec}
    told = cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod), check=False)
    assert 'violates PodSecurity "restricted:latest"' in told
