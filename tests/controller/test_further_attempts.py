"""The Job of a further attempt: that of the one before, and a container that restores the run before all others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from sympozium_controller.flags import Flags
from sympozium_controller.lifecycle.ending import ending_of
from sympozium_controller.lifecycle.plan import further
from sympozium_controller.lifecycle.restore import NAME
from sympozium_controller.lifecycle.view import View
from sympozium_controller.names import LABEL_ATTEMPT
from sympozium_controller.objects import SkillPack
from sympozium_controller.render.kubernetes import Bus
from sympozium_controller.render.kubernetes.credentials import BUS as CREDENTIAL
from tests.support.kubernetes_pods import manifests, pod_of

BUS = Bus("tls://sympozium-bus.sympozium-system.svc:4222", ca="-----BEGIN CERTIFICATE-----\n", address="10.0.0.7")


@pytest.fixture
def first(packs: Mapping[str, SkillPack]) -> dict[str, Any]:
    pod = pod_of(packs, Flags(input="x", skills=("shell",), policy="default"))
    return manifests(pod, bus=BUS, deadline=700, pull_policy="Never").job


@pytest.fixture
def second(first: dict[str, Any]) -> dict[str, Any]:
    return further(first, 2, "run-1")


def spec_of(job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = job["spec"]["template"]["spec"]
    return found


def beside(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in spec_of(job)["initContainers"]}


def test_it_restores_first_and_is_otherwise_as_it_was(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert list(beside(second)) == [NAME, *beside(first)]
    assert {name: one for name, one in beside(second).items() if name != NAME} == beside(first)
    assert spec_of(second)["volumes"] == spec_of(first)["volumes"]
    assert second["spec"]["activeDeadlineSeconds"] == 700
    assert (second["metadata"]["name"], second["metadata"]["labels"][LABEL_ATTEMPT]) == ("run-1-2", "2")


def test_what_restores_ends_before_the_others_begin_and_is_the_bridges_equal(second: dict[str, Any]) -> None:
    restore, bridge = beside(second)[NAME], beside(second)["bridge"]
    assert "restartPolicy" not in restore  # a sidecar would run on beside the agent
    assert restore["args"] == ["sympozium-restore"]
    for same in ("image", "env", "imagePullPolicy", "securityContext", "workingDir"):
        assert restore[same] == bridge[same], same
    assert restore["resources"]["requests"] == bridge["resources"]["requests"]
    assert restore["resources"]["limits"] == {**bridge["resources"]["limits"], "memory": "1024Mi"}


def test_it_writes_every_volume_of_the_run_and_neither_runspec_nor_workspace(second: dict[str, Any]) -> None:
    restore = {one["mountPath"]: one for one in beside(second)[NAME]["volumeMounts"]}
    everywhere = [
        one for each in (*spec_of(second)["containers"], *beside(second).values()) for one in each["volumeMounts"]
    ]
    wanted = {one["mountPath"]: one["name"] for one in everywhere if one["name"].startswith("ipc-")}
    of_run = {path: name for path, name in wanted.items() if path.startswith("/ipc/")}
    written = {path: one["name"] for path, one in restore.items() if not one.get("readOnly")}
    assert written == of_run | {"/tmp": "tmp-bridge"}
    assert (
        len(
            {one["name"] for one in spec_of(second)["volumes"] if one["name"].startswith("ipc-")}
            - set(written.values())
        )
        == 0
    )
    assert restore["/ipc/run"] == {"name": "run", "mountPath": "/ipc/run", "subPath": "run", "readOnly": True}
    assert "/workspace" not in restore


def test_outer_mounts_come_before_those_in_them_and_the_points_are_the_bridges(second: dict[str, Any]) -> None:
    mounts = beside(second)[NAME]["volumeMounts"]
    paths = [one["mountPath"] for one in mounts if not one["mountPath"].startswith("/layout/")]
    assert paths == sorted(paths, key=lambda path: path.split("/"))
    aside = [one for one in mounts if one["mountPath"].startswith("/layout/")]
    assert aside
    assert aside == [one for one in beside(second)["bridge"]["volumeMounts"] if one["mountPath"].startswith("/layout/")]


def test_the_credential_of_the_bus_is_in_what_restores_and_in_the_bridge_alone(second: dict[str, Any]) -> None:
    whole = {**beside(second), "agent": spec_of(second)["containers"][0]}
    holders = [name for name, one in whole.items() if CREDENTIAL in json.dumps(one)]
    assert holders == [NAME, "bridge"]


def test_a_third_attempt_restores_once(second: dict[str, Any]) -> None:
    third = further(second, 3, "run-1")
    assert spec_of(third) == spec_of(second)


def test_the_agents_account_of_its_end_fits_into_a_smaller_share(first: dict[str, Any], second: dict[str, Any]) -> None:
    def share(job: dict[str, Any]) -> list[str]:
        env = spec_of(job)["containers"][0]["env"]
        return [one["value"] for one in env if one["name"] == "SYMPOZIUM_TERMINATION_BYTES"]

    assert (share(first), share(second)) == ([str(12288 // 4)], [str(12288 // 5)])


def test_without_a_bus_there_is_nothing_to_restore_from(packs: Mapping[str, SkillPack]) -> None:
    job = manifests(pod_of(packs, Flags(input="x", policy="default"))).job
    assert spec_of(further(job, 2, "run-1")) == spec_of(job)


def test_the_job_before_is_left_as_it_was(first: dict[str, Any]) -> None:
    before = json.dumps(first)
    further(first, 2, "run-1")
    assert json.dumps(first) == before


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"exitCode": 66, "message": '{"event": "ended", "reason": "NotDurable"}'}, "NotDurable"),
        ({"exitCode": 137, "reason": "OOMKilled"}, "OutOfMemory"),
        ({"exitCode": 1}, "InternalError"),
    ],
)
def test_a_run_that_cannot_be_restored_ends_with_the_reason(state: dict[str, Any], reason: str) -> None:
    run = {"metadata": {"name": "r", "namespace": "a", "uid": "u"}, "spec": {}, "status": {"attempt": 2}}
    waiting = {"name": "agent", "state": {"waiting": {"reason": "PodInitializing"}}}
    over = {"name": NAME, "state": {"terminated": state}}
    status = {"phase": "Failed", "initContainerStatuses": [over], "containerStatuses": [waiting]}
    ending = ending_of(View(run, pod={"metadata": {"name": "p"}, "spec": {}, "status": status}))
    assert ending is not None
    assert (ending.reason.name, ending.by_agent) == (reason, False)
    assert state.get("message", "") in ending.message
