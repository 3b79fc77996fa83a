"""A run is judged when its Job is made, by what is there by then: it may have been admitted long before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import Cluster
from tests.support.cluster_definitions import define_kinds
from tests.support.controlling import Operator, Place, completed, operating

FROM_ELSEWHERE = {"sidecar": {"image": "elsewhere.example/tool:1", "commands": ["ls"]}}


@pytest.fixture
def place(cluster: Cluster) -> Iterator[Place]:
    define_kinds(cluster)
    with cluster.namespace() as name:
        yield Place(cluster, name)


@pytest.fixture
def controller(place: Place, tmp_path: Path) -> Iterator[Operator]:
    place.instance()
    with operating(place.cluster, place.namespace, tmp_path) as found:
        yield found


def apply(place: Place, kind: str, name: str, spec: dict[str, Any]) -> None:
    metadata = {"name": name, "namespace": place.namespace}
    place.cluster.apply({"apiVersion": "sympozium.ai/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})


def test_a_policy_that_became_stricter_holds_for_a_run_that_waited_in_line(place: Place, controller: Operator) -> None:
    apply(place, "SkillPack", "tool", FROM_ELSEWHERE)
    apply(place, "SympoziumPolicy", "ours", {"template": "Permissive"})
    place.instance("narrow", maxConcurrentRuns=1, skills=["tool"], policy="ours")
    place.run("first", instance="narrow")
    pod = place.pod("first")
    place.run("second", instance="narrow")
    place.becomes("second", "Waiting", "InLine")
    strict = {"template": "Permissive", "images": {"registries": ["registry.example"]}}
    apply(place, "SympoziumPolicy", "ours", strict)
    place.ends(pod, completed())
    status = place.becomes("second", "Failed", "PolicyUnsatisfiable")
    assert "spec.images.registries" in status["message"]
    assert "elsewhere.example/tool:1" in status["message"]
    assert not place.jobs("second")


def test_an_instance_whose_provider_lacks_its_key_fails_its_runs_in_its_own_words(
    place: Place, controller: Operator
) -> None:
    place.instance("keyless", provider={"name": "openai", "model": "m"})
    place.run("hopeless", instance="keyless")
    status = place.becomes("hopeless", "Failed", "InvalidDocument")
    assert "spec.provider.apiKeySecret" in status["message"]
    assert not place.jobs("hopeless")


def test_a_memory_that_cannot_be_had_fails_the_runs_that_want_it_in_its_own_words(
    place: Place, controller: Operator
) -> None:
    place.instance("shared", memory={"enabled": True, "placement": "sidecar"})
    place.run("hopeless", instance="shared")
    status = place.becomes("hopeless", "Failed", "InvalidDocument")
    assert "spec.memory.placement: sidecar goes with maxConcurrentRuns: 1" in status["message"]
    assert not place.jobs("hopeless")
