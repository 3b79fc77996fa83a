"""What the bus keeps its records in: what is there, what is asked for, and what is refused, or costs something."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from typing import Any

import pytest

from sympozium_cli.cluster.confirming import go_on
from sympozium_cli.cluster.replacing import stuck
from sympozium_cli.cluster.storage import Stored, check, fitting, left_over, lost, read, without_class
from sympozium_cli.terminal import Terminal
from sympozium_controller.install.settings import Settings
from sympozium_controller.render.images import Images
from sympozium_protocol.exits import Ended, Reason

GI = 1 << 30
USUAL = Settings(Images("sympozium", "dev"))
NONE = replace(USUAL, bus_storage=None)
EMPTY_DIR = Stored(None, held=True)
VOLUME = Stored(10 * GI, "fast", held=True, claim="u1")
UNMADE = Stored(10 * GI, "slow", claim="u1", pending=True)


def server(volume: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"volumes": [{"name": "data", **volume}]}}}}


def claim(phase: str, name: str = "fast") -> dict[str, Any]:
    spec = {"resources": {"requests": {"storage": "10Gi"}}, "storageClassName": name}
    return {"metadata": {"uid": "u1"}, "spec": spec, "status": {"phase": phase}}


ON_A_VOLUME = server({"persistentVolumeClaim": {"claimName": "sympozium-bus"}})
IN_ITS_POD = server({"emptyDir": {}})
RUNNING = {"status": {"phase": "Running"}}


# -- what is there ---------------------------------------------------------------------------------------------


def test_a_volume_that_was_made_may_have_something_in_it_and_a_claim_that_waits_for_one_has_nothing() -> None:
    assert read(ON_A_VOLUME, claim("Bound"), [RUNNING]) == VOLUME
    assert read(ON_A_VOLUME, claim("Pending", "slow"), []) == UNMADE


def test_a_pod_has_something_in_it_once_it_has_run() -> None:
    assert read(IN_ITS_POD, None, [RUNNING]) == EMPTY_DIR
    assert not read(IN_ITS_POD, None, [{"status": {"phase": "Pending"}}]).held


def test_a_claim_that_a_former_installation_left_is_what_there_is() -> None:
    assert read(None, claim("Bound"), []) == VOLUME


# -- what stays ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", [EMPTY_DIR, VOLUME, UNMADE])
def test_what_is_not_said_stays_as_it_is(there: Stored) -> None:
    found = fitting(USUAL, there, said=False)

    assert (found.bus_storage, found.bus_storage_class) == (there.size, there.storage_class)
    assert lost(found, there) == ""
    check(found, there)


def test_a_size_that_is_said_leaves_the_class_as_it_is() -> None:
    found = fitting(replace(USUAL, bus_storage=20 * GI), VOLUME, said=True)

    assert (found.bus_storage, found.bus_storage_class) == (20 * GI, "fast")


def test_what_is_said_holds_where_nothing_is_there() -> None:
    assert fitting(NONE, None, said=True) == NONE
    assert fitting(USUAL, None, said=False) == USUAL


# -- what it costs, and what cannot be -------------------------------------------------------------------------


def test_another_kind_of_storage_costs_the_records() -> None:
    assert "has no volume (--bus-storage none), and what it has goes with its pod" in lost(USUAL, EMPTY_DIR)
    assert "has a volume of 10Gi, and without it" in lost(NONE, VOLUME)


@pytest.mark.parametrize("there", [None, UNMADE, replace(EMPTY_DIR, held=False)])
def test_where_nothing_was_ever_kept_nothing_is_lost(there: Stored | None) -> None:
    assert lost(NONE, there) == ""
    assert lost(USUAL, there) == ""


@pytest.mark.parametrize(
    ("settings", "there", "told"),
    [
        (replace(USUAL, bus_storage_class="slow"), VOLUME, "slow: the bus has a volume of the class fast, which stays"),
        (replace(USUAL, bus_storage=GI, bus_storage_class="fast"), VOLUME, "of 10Gi, which cannot become smaller"),
        (replace(NONE, bus_storage_class="fast"), EMPTY_DIR, "the bus has no volume; give it one with --bus-storage"),
    ],
)
def test_what_no_volume_can_become_is_refused(settings: Settings, there: Stored, told: str) -> None:
    with pytest.raises(Ended) as refused:
        check(settings, there)

    assert refused.value.reason is Reason.Usage
    assert told in refused.value.message


def test_a_claim_that_was_never_bound_goes_where_it_is_not_what_is_wanted() -> None:
    assert left_over(NONE, UNMADE)
    assert left_over(replace(USUAL, bus_storage_class="fast"), UNMADE)
    assert not left_over(replace(USUAL, bus_storage_class="slow"), UNMADE)
    assert not left_over(NONE, VOLUME)
    assert not left_over(NONE, None)


# -- classes ---------------------------------------------------------------------------------------------------


def named(name: str, default: str = "") -> dict[str, Any]:
    return {"metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": default}}}


def test_a_class_that_is_there_or_is_the_default_will_do() -> None:
    assert without_class("fast", [named("fast")]) is None
    assert without_class("", [named("fast"), named("usual", "true")]) is None


def test_where_no_class_is_the_default_the_way_out_is_told() -> None:
    why = without_class("", [named("slow", "false"), named("fast")])

    assert why
    assert "no default StorageClass to make the bus's volume (it has fast, slow)" in why.message
    assert "--bus-storage-class" in why.message
    assert "--bus-storage none" in why.message


def test_a_class_that_is_not_there_is_told_with_those_that_are() -> None:
    assert "fats: the cluster has no StorageClass of this name; it has fast" in str(
        without_class("fats", [named("fast")])
    )
    assert "it has none at all" in str(without_class("fast", []))


# -- pods that are in the way ----------------------------------------------------------------------------------


def stateful_set(observed: int = 2) -> dict[str, Any]:
    return {"metadata": {"generation": 2}, "status": {"observedGeneration": observed, "updateRevision": "bus-2"}}


def pod(revision: str, ready: str = "False", **metadata: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready}]
    labels = {"controller-revision-hash": revision}
    return {"metadata": {"name": "bus-0", "labels": labels, **metadata}, "status": {"conditions": conditions}}


def test_a_pod_of_former_settings_that_is_not_ready_is_in_the_way() -> None:
    assert list(stuck(stateful_set(), [pod("bus-1")])) == [pod("bus-1")]


@pytest.mark.parametrize(
    "one", [pod("bus-2"), pod("bus-1", ready="True"), pod("bus-1", deletionTimestamp="2026-11-21T10:00:00Z")]
)
def test_a_new_pod_one_that_works_and_one_that_goes_already_are_left_alone(one: dict[str, Any]) -> None:
    assert list(stuck(stateful_set(), [one])) == []


def test_before_the_cluster_has_looked_at_the_new_settings_nothing_is_in_the_way() -> None:
    assert list(stuck(stateful_set(observed=1), [pod("bus-1")])) == []


# -- the question ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["n\n", "\n", "", "yesterday\n"])
def test_anything_but_yes_at_the_question_changes_nothing(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))

    with pytest.raises(Ended, match="nothing was changed") as told:
        asyncio.run(go_on(Terminal(io.StringIO()), "nothing was changed"))
    assert told.value.reason is Reason.Cancelled


@pytest.mark.parametrize("typed", ["y\n", "Yes\n"])
def test_yes_at_the_question_goes_on(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    seen = io.StringIO()
    asyncio.run(go_on(Terminal(seen), "nothing was changed"))

    assert seen.getvalue() == "Go on? y or n: "
