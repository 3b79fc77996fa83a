"""Rights of runs that are gone are taken back, each in the looks at its own run: there alone nobody is granting any."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from sympozium_controller.lifecycle.rights import GRANTED
from sympozium_controller.names import LABEL_RUN_UID
from sympozium_controller.operator.events import Events
from sympozium_controller.operator.holdings import Holdings
from sympozium_controller.operator.runs import Runs
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import NotFound
from sympozium_protocol.kube.resources import Resource

NONE: Any = None
TEAM = "team"
FINISHED = {"phase": "Succeeded"}


class Deleted:
    """What was deleted, as Kind, namespace and name; the server has nothing of it."""

    def __init__(self) -> None:
        self.found: list[str] = []

    async def delete(self, resource: Resource, name: str, namespace: str = "", *, uid: str = "") -> None:
        self.found.append(f"{resource.kind} {namespace}/{name}")
        raise NotFound(404, "gone", {})


def account(run: str, uid: str) -> KubeObject:
    return {
        "metadata": {
            "name": f"{run}-{uid}",
            "namespace": TEAM,
            "uid": f"account-{uid}",
            "resourceVersion": "1",
            "labels": {LABEL_RUN_UID: uid},
            "annotations": {GRANTED: "other"},
            "ownerReferences": [{"kind": "AgentRun", "name": run, "uid": uid, "controller": True}],
        }
    }


def a_run(name: str, uid: str) -> KubeObject:
    metadata = {"name": name, "namespace": TEAM, "uid": uid, "resourceVersion": "2", "generation": 1}
    return {"metadata": metadata, "spec": {"instanceRef": "one", "input": "x"}, "status": FINISHED}


@pytest.fixture
def deleted() -> Deleted:
    return Deleted()


@pytest.fixture
def held(deleted: Deleted) -> Holdings:
    return Holdings(cast(KubeApi, deleted), (), "sympozium-system")


def look(held: Holdings, deleted: Deleted, name: str, *, forgotten: tuple[KubeObject, ...] = ()) -> list[str]:
    """What a look at this run deletes; ``forgotten`` accounts are gone already, as the watch has told."""

    async def act() -> None:
        runs = Runs(cast(KubeApi, deleted), held, NONE, cast(Events, NONE), NONE, NONE)
        for one in forgotten:
            held.accounts.remove(one)
        await runs.reconcile((TEAM, name))

    asyncio.run(act())
    return deleted.found


ALL_OF_ONE = ["RoleBinding other/one-u1", "Role other/one-u1", "ServiceAccount team/one-u1"]


@pytest.mark.parametrize("there", [True, False])
def test_a_look_at_a_deleted_run_takes_back_what_it_had(held: Holdings, deleted: Deleted, there: bool) -> None:
    held.accounts.put(account("one", "u1"))
    forgotten = () if there else (account("one", "u1"),)
    assert look(held, deleted, "one", forgotten=forgotten) == ALL_OF_ONE


@pytest.mark.parametrize("there", [True, False])
def test_rights_that_another_look_may_be_granting_are_left_to_it(held: Holdings, deleted: Deleted, there: bool) -> None:
    held.accounts.put(account("one", "u1"))
    forgotten = () if there else (account("one", "u1"),)
    assert look(held, deleted, "another", forgotten=forgotten) == []


def test_a_new_run_of_the_same_name_takes_back_what_the_one_before_had(held: Holdings, deleted: Deleted) -> None:
    held.accounts.put(account("one", "u1"))
    held.runs.put(a_run("one", "u2"))
    assert look(held, deleted, "one") == ALL_OF_ONE


def test_rights_of_a_run_that_goes_on_stay(held: Holdings, deleted: Deleted) -> None:
    held.accounts.put(account("one", "u2"))
    going = a_run("one", "u2")
    going["status"] = {"phase": "Running", "jobName": "one-u2"}
    held.runs.put(going)
    assert look(held, deleted, "another") == []
