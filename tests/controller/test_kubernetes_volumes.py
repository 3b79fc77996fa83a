"""render/kubernetes: what a pod of a cluster has in its volumes: who writes where, and who holds which secret."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import PurePosixPath

import pytest
import yaml

from sympozium_controller.documents import parse
from sympozium_controller.flags import Flags
from sympozium_controller.objects import SkillPack
from sympozium_controller.pod import PackFiles, Pod
from sympozium_controller.render.kubernetes import Manifests, Owner, TooLarge
from sympozium_controller.render.kubernetes.limited import label
from sympozium_protocol import layout
from tests.support.kubernetes_made import BUS, RIGHTS, made, pod
from tests.support.kubernetes_pods import (
    containers,
    manifests,
    mounted,
    pod_of,
    spec_of,
)

__all__ = ["made", "pod"]


def sources(made: Manifests) -> dict[tuple[str, str], list[tuple[str, bool]]]:
    """(volume, directory in it) to (container, may write)."""
    found = defaultdict(list)
    for name, one in containers(made).items():
        for mount in one["volumeMounts"]:
            found[mount["name"], mount.get("subPath", "")].append((name, not mount.get("readOnly", False)))
    return found


def test_every_source_is_writable_in_one_container_but_the_workspace(made: Manifests) -> None:
    writers = {source: [name for name, writes in users if writes] for source, users in sources(made).items()}
    assert [source for source, names in writers.items() if len(names) > 1] == [("workspace", "")]
    assert writers[label("ipc.agent"), ""] == ["agent"]
    assert writers[label("ipc.bridge.verdicts.shell"), ""] == ["bridge"]
    assert writers[label("ipc.shell"), ""] == ["shell"]
    assert writers[label("ipc.agent.calls"), ""] == []


def test_a_volume_of_ipc_is_mounted_whole_but_for_the_points_that_the_bridge_has_aside(made: Manifests) -> None:
    """A link in the place of a directory would be followed when a container starts again."""
    for (volume, path), users in sources(made).items():
        if volume.startswith("ipc-") and path:
            assert users == [("bridge", False)]
    aside = [one for path, one in mounted(containers(made)["bridge"]).items() if path.startswith("/layout/")]
    assert {one["name"] for one in aside if "subPath" not in one} == set()


def test_each_mount_is_that_of_the_pod(made: Manifests, pod: Pod) -> None:
    for program in (pod.agent, pod.bridge, *pod.participants):
        there = mounted(containers(made)[program.name])
        for mount in program.mounts:
            assert there[mount.path].get("readOnly", False) is not mount.writable
        own = {mount.path for mount in program.mounts}
        assert {path for path in there if path not in own} <= {
            path for path in there if path.startswith(("/layout/", "/var/run/secrets/"))
        }


@pytest.mark.parametrize("elsewhere", [(), ("model=model-of-ops", "memory")], ids=["in the pod", "elsewhere"])
def test_every_directory_of_the_run_is_made_before_the_first_program_looks_for_it(
    elsewhere: tuple[str, ...], packs: Mapping[str, SkillPack]
) -> None:
    """Of participants elsewhere, too: the bridge writes in their volumes, and has no directory made in them."""
    flags = Flags(input="x", skills=("shell",), policy="default", memory=True, elsewhere=elsewhere)
    pod = pod_of(packs, flags)
    bridge = mounted(containers(manifests(pod, bus=BUS))["bridge"]).values()
    given = {(one["name"], one.get("subPath", "")) for one in bridge}
    whole = {one.path: label(one.volume) for one in pod.bridge.mounts}
    for place in layout.places(("model", "shell", "memory")):
        path = PurePosixPath("/ipc", *place)
        innermost = max((one for one in whole if path.is_relative_to(one)), key=len)
        if str(path) != innermost:
            assert (whole[innermost], str(path.relative_to(innermost))) in given, place


def test_a_mount_comes_after_the_one_that_it_is_in(made: Manifests) -> None:
    for one in containers(made).values():
        paths = [PurePosixPath(mount["mountPath"]) for mount in one["volumeMounts"]]
        assert not [
            (early, late)
            for number, early in enumerate(paths)
            for late in paths[number + 1 :]
            if early != late and early.is_relative_to(late)
        ]


def test_tokens_and_secrets_are_in_the_containers_that_need_them_and_in_no_variable(
    packs: Mapping[str, SkillPack],
) -> None:
    objects = parse(
        [
            (
                "a.yaml",
                """
apiVersion: v1
kind: Secret
metadata: {name: tickets}
stringData: {TICKET_TOKEN: canary}
---
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumInstance
metadata: {name: a}
spec:
  provider: {name: openai, model: m, apiKeySecret: key}
  skills: [rights, shell]
  skillConfig: {shell: {secretRef: tickets}}
""",
            )
        ]
    )
    found = manifests(pod_of({**packs, "rights": RIGHTS}, Flags(input="x", instance="a"), objects), bus=BUS)
    held = {
        name: sorted({one["name"] for one in each["volumeMounts"] if one["mountPath"].startswith("/var/run/secrets")})
        for name, each in containers(found).items()
    }
    assert held == {
        "bridge": ["bus"],
        "model": ["secrets-model"],
        "rights": ["account"],
        "shell": ["secrets-shell"],
        "agent": [],
    }
    volumes = {one["name"]: one for one in spec_of(found)["volumes"]}
    assert volumes["secrets-shell"]["projected"]["sources"] == [
        {"secret": {"name": "tickets", "items": [{"key": "TICKET_TOKEN", "path": "TICKET_TOKEN"}]}}
    ]
    [token, *_] = volumes["account"]["projected"]["sources"]
    assert token == {"serviceAccountToken": {"expirationSeconds": 600, "path": "token"}}
    [token, _] = volumes["bus"]["projected"]["sources"]
    assert token["serviceAccountToken"]["audience"] == "sympozium-bus"
    assert "canary" not in yaml.safe_dump_all(found.documents)
    assert not [one for each in containers(found).values() for one in each["env"] if "valueFrom" in one]


def test_a_secret_that_only_a_laptop_has_is_refused(packs: Mapping[str, SkillPack]) -> None:
    with pytest.raises(ValueError, match="model: a secret without a name"):
        manifests(pod_of(packs, Flags(input="x", provider="openai", model="m")))


def test_the_run_travels_in_the_jobs_template_and_is_mounted_as_regular_files(made: Manifests, pod: Pod) -> None:
    assert made.config is None
    annotations = made.job["spec"]["template"]["metadata"]["annotations"]
    assert annotations["sympozium.ai/run-spec"].encode() == pod.run
    [volume] = [one for one in spec_of(made)["volumes"] if one["name"] == "run"]
    items = {one["path"]: one["fieldRef"]["fieldPath"] for one in volume["downwardAPI"]["items"]}
    assert items["run/run.json"] == "metadata.annotations['sympozium.ai/run-spec']"
    for pack in pod.packs:
        for name, text in pack.files:
            key = items[f"packs/{pack.name}/{name}"].split("'")[1]
            assert annotations[key] == text
    for one in containers(made).values():
        assert mounted(one)["/ipc/run"] == {"name": "run", "mountPath": "/ipc/run", "subPath": "run", "readOnly": True}
    assert mounted(containers(made)["shell"])["/packs/shell"]["subPath"] == "packs/shell"


def with_pack(pod: Pod, size: int) -> Pod:
    return dataclasses.replace(pod, packs=(*pod.packs, PackFiles("large", (("SKILL.md", "é" * (size // 2)),))))


def test_a_run_beyond_200_kib_travels_in_a_config_map_of_the_same_name_and_owner(pod: Pod) -> None:
    owner = Owner("sympozium.ai/v1alpha1", "AgentRun", "a", "uid-1")
    small, large = (manifests(with_pack(pod, size), owner=owner) for size in (100 << 10, 200 << 10))
    assert small.config is None
    assert large.config is not None
    assert [one["kind"] for one in large.documents] == ["ConfigMap", "Job"]
    assert (large.config["metadata"], large.config["immutable"]) == (large.job["metadata"], True)
    assert large.config["data"]["run-spec"].encode() == pod.run
    [volume] = [one for one in spec_of(large)["volumes"] if one["name"] == "run"]
    assert volume["configMap"]["name"] == "run-1"
    assert {one["key"] for one in volume["configMap"]["items"]} == set(large.config["data"])
    assert "sympozium.ai/run-spec" not in large.job["spec"]["template"]["metadata"]["annotations"]


def test_a_run_that_no_object_holds_is_refused(pod: Pod) -> None:
    with pytest.raises(TooLarge, match="a cluster takes 1048576"):
        manifests(with_pack(pod, 1 << 20))


def quantity(text: str) -> int:
    return int(text.removesuffix("Mi")) << 20 if text.endswith("Mi") else int(text)


def test_storage_limits_leave_room_for_all_that_may_be_written(made: Manifests, pod: Pod) -> None:
    """Beyond their sum the kubelet evicts the pod, volumes included. A writer keeps to ``disk`` in all of /ipc."""
    limits = sum(quantity(one["resources"]["limits"]["ephemeral-storage"]) for one in containers(made).values())
    volumes = {one["name"]: one["emptyDir"] for one in spec_of(made)["volumes"] if "emptyDir" in one}
    others = sum(quantity(one["sizeLimit"]) for name, one in volumes.items() if not name.startswith("ipc-"))
    assert others + pod.disk * len(containers(made)) <= limits
    assert {quantity(one["sizeLimit"]) for name, one in volumes.items() if name.startswith("ipc-")} == {pod.disk}


def test_every_volume_is_mounted_and_every_mount_has_one(made: Manifests) -> None:
    names = Counter(one["name"] for one in spec_of(made)["volumes"])
    assert set(names.values()) == {1}
    assert set(names) == {mount["name"] for one in containers(made).values() for mount in one["volumeMounts"]}
