"""What runs left that are gone goes, each in the looks at its own run: there alone nobody is granting it rights."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from sympozium_controller.lifecycle.rights import GRANTED, Named
from sympozium_controller.names import LABEL_MANAGED_BY, LABEL_RUN, LABEL_RUN_NAME, LABEL_RUN_UID, MANAGED_BY
from sympozium_controller.operator.events import Events
from sympozium_controller.operator.holdings import Holdings
from sympozium_controller.operator.runs import Runs
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import NotFound
from sympozium_protocol.kube.resources import CONFIG_MAPS, ROLES, Resource

NONE: Any = None
TEAM = "team"
FINISHED = {"phase": "Succeeded"}


class Deleted:
    """What was deleted, as Kind, namespace and name; the server has what is ``there``."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.there: dict[tuple[Resource, str], KubeObject] = {}

    async def get(self, resource: Resource, name: str, namespace: str = "") -> KubeObject:
        if (resource, name) not in self.there:
            raise NotFound(404, "gone", {})
        return self.there[resource, name]

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


def look(
    held: Holdings,
    deleted: Deleted,
    name: str,
    *,
    forgotten: tuple[KubeObject, ...] = (),
    changed: tuple[KubeObject, ...] = (),
    strays: tuple[KubeObject, ...] = (),
) -> list[str]:
    """What a look at this run deletes; ``forgotten`` accounts are gone already, as the watch has told, and others
    ``changed``. ``strays``: runs of which a sweep found a Role, and no account."""

    async def act() -> None:
        runs = Runs(cast(KubeApi, deleted), held, NONE, cast(Events, NONE), NONE, NONE)
        for one in forgotten:
            held.accounts.remove(one)
        for one in changed:
            held.accounts.put(one)
        for run in strays:
            runs.stray(run, Named(ROLES, run["metadata"]["name"], "other", "role"))
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


def test_an_account_that_lost_its_owner_goes_with_its_run(held: Holdings, deleted: Deleted) -> None:
    held.accounts.put(account("one", "u1"))
    left = account("one", "u1")
    left["metadata"] |= {"ownerReferences": [], "resourceVersion": "2"}
    assert set(look(held, deleted, "one", changed=(left,))) == set(ALL_OF_ONE)


@pytest.mark.parametrize("after", ["gone", "finished", "of another"])
def test_what_a_sweep_found_without_an_account_goes_when_its_run_has_ended(
    held: Holdings, deleted: Deleted, after: str
) -> None:
    if after != "gone":
        held.runs.put(a_run("one", "u1" if after == "finished" else "u2"))
    assert look(held, deleted, "one", strays=(a_run("one", "u1"),)) == ["Role other/one"]


def unowned(kind: str, **metadata: Any) -> KubeObject:
    labels = {LABEL_RUN_UID: "u1", LABEL_RUN: "one-u1", LABEL_MANAGED_BY: MANAGED_BY}
    own = {"name": f"{kind}-u1", "namespace": TEAM, "uid": kind, "resourceVersion": "1", "labels": labels}
    return {"metadata": {**own, "annotations": {LABEL_RUN_NAME: "one"}, **metadata}}


def test_what_its_owner_was_taken_from_goes_and_what_is_owned_stays(held: Holdings, deleted: Deleted) -> None:
    owners = [{"kind": "AgentRun", "name": "one", "uid": "u2", "controller": True}]
    held.jobs.put(unowned("job"))
    held.jobs.put(unowned("owned", ownerReferences=owners))
    held.pods.put(unowned("pod"))
    deleted.there[CONFIG_MAPS, "one-u1"] = unowned("config")
    assert look(held, deleted, "one") == ["Pod team/pod-u1", "ConfigMap team/config-u1", "Job team/job-u1"]


def test_a_strangers_config_map_of_its_name_stays(held: Holdings, deleted: Deleted) -> None:
    held.jobs.put(unowned("job"))
    deleted.there[CONFIG_MAPS, "one-u1"] = unowned("config", labels={})
    assert look(held, deleted, "one") == ["Job team/job-u1"]
