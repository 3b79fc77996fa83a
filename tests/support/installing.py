"""sympozium install and uninstall, as an administrator calls them, on a control plane that is nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.cluster import Cluster
from tests.support.cluster_start import start_cluster

KINDS = (
    "crd",
    "clusterrole",
    "clusterrolebinding",
    "validatingwebhookconfiguration",
    "mutatingwebhookconfiguration",
    "validatingadmissionpolicy",
    "validatingadmissionpolicybinding",
    "priorityclass",
    "namespace",
)
"""What lies in no namespace and an installation makes."""


@contextmanager
def bare_cluster() -> Iterator[Cluster]:
    """A control plane of its own: an installation is everybody's. It has a default StorageClass."""
    with start_cluster() as found:
        found.apply(storage_class("usual", default=True))
        yield found


def storage_class(name: str, default: bool = False) -> dict[str, Any]:
    """One of which nobody makes a volume: what a claim says of it is all that is looked at."""
    notes = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": notes},
        "provisioner": "kubernetes.io/no-provisioner",
    }


def sympozium(cluster: Cluster, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    command = [str(Path(sys.executable).parent / "sympozium"), *words]
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)
    return done.returncode, done.stdout, done.stderr


def install(cluster: Cluster, *words: str) -> str:
    code, _, said = sympozium(cluster, "install", "--no-wait", *words)
    assert code == 0, said
    return said


def uninstall(cluster: Cluster, *words: str) -> str:
    code, _, said = sympozium(cluster, "uninstall", "--yes", *words)
    assert code == 0, said
    return said


def names(cluster: Cluster) -> set[str]:
    return set(cluster.kubectl("get", ",".join(KINDS), "-o", "name").split())
