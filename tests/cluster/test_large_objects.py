"""Objects that are large in memory, and came before admission was there or around it: they stop nobody else.

An object may be 1.5 MiB in JSON, and thirty times that as values of Python.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sympozium_controller.weight import TOO_HEAVY
from tests.support.admission import installed, refusal
from tests.support.cluster import Cluster
from tests.support.cluster_definitions import define_kinds
from tests.support.controlling import Operator, Place, operating, until

MOST = 200
"""MiB that the controller may take: three times what it takes with nothing there, and less than half of its limit."""
MANY = {"x": [{}] * 480_000}
PACK = {"params": MANY}
INSTANCE = {"provider": {"name": "scripted", "options": MANY}}


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[Place]:
    define_kinds(cluster)
    with cluster.namespace() as name:
        found = Place(cluster, name)
        found.instance()
        for number in range(4):
            large(found, "SkillPack", f"large-{number}", PACK)
        for number in range(2):
            large(found, "SympoziumInstance", f"large-{number}", INSTANCE)
        found.instance("names-it", skills=["large-0"])
        yield found


@pytest.fixture(scope="module")
def controller(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    with operating(place.cluster, place.namespace, tmp_path_factory.mktemp("controller")) as found:
        yield found


def large(place: Place, kind: str, name: str, spec: dict[str, Any]) -> None:
    body = {"apiVersion": "sympozium.ai/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    path = f"/apis/sympozium.ai/v1alpha1/namespaces/{place.namespace}/{kind.lower()}s"
    place.cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body, separators=(",", ":")))


def most(controller: Operator) -> int:
    """MiB that it has taken at most."""
    text = Path(f"/proc/{controller.process.pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM:")).split()[1]) >> 10


def test_a_controller_starts_beside_them_and_begins_other_runs(place: Place, controller: Operator) -> None:
    place.run("beside")
    place.pod("beside")
    assert most(controller) < MOST


@pytest.mark.parametrize("kind", ["SympoziumInstance", "SkillPack"])
def test_an_event_says_what_is_wrong_with_one(place: Place, controller: Operator, kind: str) -> None:
    about = f"involvedObject.kind={kind},involvedObject.name=large-0"

    def told() -> list[tuple[str, str]]:
        return [(one["reason"], one["message"]) for one in place.items("events", "--field-selector", about)]

    assert until("it is told", told) == [("InvalidDocument", TOO_HEAVY)]
    assert most(controller) < MOST


def test_a_run_that_needs_one_ends_and_says_which(place: Place, controller: Operator) -> None:
    place.run("names-it", instance="names-it")
    found = place.becomes("names-it", "Failed", "InvalidDocument")
    assert found["message"] == f"SkillPack/large-0: {TOO_HEAVY}"
    assert most(controller) < MOST


def test_those_that_come_while_it_watches_stop_nobody_either(place: Place, controller: Operator) -> None:
    for number in range(2):
        large(place, "SkillPack", f"later-{number}", PACK)
    place.run("after")
    place.pod("after")
    assert most(controller) < MOST


def test_admission_lets_none_of_them_in(place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    with installed(place.cluster, tmp_path_factory.mktemp("admission")) as admission, admission.namespace() as name:
        there = Place(place.cluster, name)
        for kind, spec in (("SkillPack", PACK), ("SympoziumInstance", INSTANCE)):
            said = refusal(lambda kind=kind, spec=spec: large(there, kind, "large", spec))
            assert said.endswith(f"denied the request: {kind} {name}/large: {TOO_HEAVY}")
