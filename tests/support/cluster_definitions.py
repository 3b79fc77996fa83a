"""A test cluster that knows our kinds: definitions, policies of admission and user roles, applied once a session."""

from __future__ import annotations

import functools
import time
from typing import Any

import pytest

from sympozium_controller.crds import documents, policies, roles
from tests.support.cluster import Cluster, Refused, text

WITHIN = 60.0
HEAD = {"apiVersion": "sympozium.ai/v1alpha1"}
REFUSED: tuple[dict[str, Any], ...] = (
    {"kind": "SympoziumInstance", "spec": {"skills": [1]}},
    {"kind": "PersonaPack", "spec": {"personas": [{"name": "a", "skills": [1]}]}},
    {"kind": "SkillPack", "metadata": {"name": "model"}, "spec": {}},
    {"kind": "SympoziumPolicy", "metadata": {"name": "default"}, "spec": {"template": "Permissive"}},
    {
        "kind": "AgentRun",
        "metadata": {"name": "a", "annotations": {"sympozium.ai/requester": "nobody"}},
        "spec": {"instanceRef": "a", "input": "b"},
    },
)
"""One object for each policy that it must refuse."""


@pytest.fixture(scope="session")
def kinds(cluster: Cluster) -> Cluster:
    """``cluster``, which knows our kinds."""
    define_kinds(cluster)
    return cluster


@functools.cache
def define_kinds(cluster: Cluster) -> None:
    """Apply what makes our kinds known, and wait until it holds; once a process. Harmless when it is there already."""
    words = ("--server-side", "--force-conflicts")
    cluster.apply(documents(), *words)
    names = [f"crd/{one['metadata']['name']}" for one in documents()]
    cluster.wait("condition=Established", *names)
    cluster.apply(roles(), *words)
    cluster.apply(policies(), *words)
    for document in REFUSED:
        _until_refused(cluster, {**HEAD, "metadata": {"name": "a"}, **document})


def _until_refused(cluster: Cluster, document: dict[str, Any]) -> None:
    """A policy holds a moment after it was made: the API server watches them."""
    ends = time.monotonic() + WITHIN
    while time.monotonic() < ends:
        try:
            cluster.kubectl("create", "-n", "default", "--dry-run=server", "-f", "-", stdin=text(document))
        except Refused as refused:
            if "ValidatingAdmissionPolicy" in str(refused):
                return
    raise AssertionError(f"no policy refuses {document}")
