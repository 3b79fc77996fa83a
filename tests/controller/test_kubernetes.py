"""render/kubernetes: which walls a pod of a cluster has, and who holds what in it; golden files of the examples."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml

from sympozium_controller.documents import parse
from sympozium_controller.flags import Flags
from sympozium_controller.objects import SkillPack
from sympozium_controller.packs import parse_pack
from sympozium_controller.pod import PackFiles, Placing, Pod, Resources
from sympozium_controller.render import egress
from sympozium_controller.render.kubernetes import Bus, Manifests, Owner, TooLarge
from sympozium_controller.render.kubernetes.containers import message_size
from sympozium_controller.render.kubernetes.limited import label
from sympozium_protocol import layout
from tests.support.kubernetes_pods import (
    EXAMPLES,
    ROOT,
    containers,
    manifests,
    mounted,
    pod_of,
    pod_of_example,
    spec_of,
)

GOLDEN = ROOT / "tests" / "golden" / "kubernetes"
BUS = Bus("tls://sympozium-bus.sympozium-system.svc:4222", ca="-----BEGIN CERTIFICATE-----\n", address="10.0.0.7")
RIGHTS = parse_pack(
    "rights",
    "sidecar: {image: skill-k8s-ops, commands: [kubectl], egress: [kubernetes], "
    "rbac: [{apiGroups: [''], resources: [pods], verbs: [get]}]}",
    "Look.\n",
)


@pytest.fixture
def pod(packs: Mapping[str, SkillPack]) -> Pod:
    return pod_of({**packs, "rights": RIGHTS}, Flags(input="x", skills=("rights", "shell"), policy="default"))


@pytest.fixture
def made(pod: Pod) -> Manifests:
    return manifests(pod, bus=BUS)


def test_the_agent_is_the_one_container_and_the_bridge_starts_first_of_those_beside_it(made: Manifests) -> None:
    assert [one["name"] for one in spec_of(made)["containers"]] == ["agent"]
    beside = spec_of(made)["initContainers"]
    assert [one["name"] for one in beside] == ["bridge", "model", "rights", "shell"]
    assert {one["restartPolicy"] for one in beside} == {"Always"}
    assert not [one for one in beside if "startupProbe" in one or "readinessProbe" in one]


def test_a_run_that_failed_is_not_made_again_and_never_twice_at_a_time(pod: Pod) -> None:
    job = manifests(pod, deadline=700).job["spec"]
    assert (job["backoffLimit"], job["podReplacementPolicy"], job["activeDeadlineSeconds"]) == (0, "Failed", 700)
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert "ttlSecondsAfterFinished" not in job
    assert "activeDeadlineSeconds" not in manifests(pod).job["spec"]


def test_every_container_is_locked_down_and_bounded(made: Manifests) -> None:
    whole = spec_of(made)["securityContext"]
    assert (whole["runAsNonRoot"], whole["runAsUser"], whole["runAsGroup"]) == (True, 1000, 1000)
    assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
    for one in containers(made).values():
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        for amounts in (one["resources"]["requests"], one["resources"]["limits"]):
            assert set(amounts) == {"cpu", "memory", "ephemeral-storage"}
    assert all("sizeLimit" in one["emptyDir"] for one in spec_of(made)["volumes"] if "emptyDir" in one)


def test_nothing_of_the_cluster_is_put_into_the_pod_unasked(made: Manifests) -> None:
    spec = spec_of(made)
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & set(spec)
    assert not [one for one in spec["volumes"] if "hostPath" in one]


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


def test_the_agent_is_told_where_its_last_words_go_and_how_many_there_may_be(made: Manifests) -> None:
    agent = containers(made)["agent"]
    env = {one["name"]: one["value"] for one in agent["env"]}
    assert (agent["terminationMessagePath"], agent["terminationMessagePolicy"]) == ("/dev/termination-log", "File")
    assert env["SYMPOZIUM_TERMINATION_MESSAGE"] == "/dev/termination-log"
    assert int(env["SYMPOZIUM_TERMINATION_BYTES"]) == message_size(len(containers(made))) == 12288 // 5
    assert env["SYMPOZIUM_ANSWER"] == "stdout"
    assert [message_size(1), message_size(3), message_size(4)] == [4096, 4096, 3072]


def test_the_bridge_alone_is_told_of_the_bus(made: Manifests, pod: Pod) -> None:
    def told(found: Manifests) -> dict[str, list[str]]:
        named = {n: [e["name"] for e in c["env"] if "_BUS" in e["name"]] for n, c in containers(found).items()}
        return {name: words for name, words in named.items() if words}

    assert told(made) == {"bridge": ["SYMPOZIUM_BUS", "SYMPOZIUM_BUS_TOKEN_FILE", "SYMPOZIUM_BUS_CA_FILE"]}
    assert told(manifests(pod)) == {}


def test_who_reaches_known_addresses_alone_has_no_name_server(pod: Pod, packs: Mapping[str, SkillPack]) -> None:
    known = spec_of(manifests(pod, bus=BUS))
    assert (known["dnsPolicy"], known["dnsConfig"]) == ("None", {"nameservers": ["127.0.0.1"]})
    assert known["hostAliases"] == [{"ip": "10.0.0.7", "hostnames": ["sympozium-bus.sympozium-system.svc"]}]
    assert "dnsPolicy" not in spec_of(manifests(pod, bus=dataclasses.replace(BUS, address="")))
    far = pod_of(packs, Flags(input="x", policy="permissive"))
    assert "dnsPolicy" not in spec_of(manifests(far, bus=BUS))


@pytest.mark.parametrize(
    ("wanted", "named"),
    [((), "none"), (("kubernetes",), "kubernetes"), (("10.0.0.0/8:443",), "class-"), (("*", "kubernetes"), "class-")],
)
def test_an_egress_class_is_a_word_for_what_all_programs_reach_together(wanted: tuple[str, ...], named: str) -> None:
    assert egress.egress_class(wanted).startswith(named)
    assert egress.egress_class(tuple(reversed(wanted))) == egress.egress_class(wanted)


def test_a_pod_is_labelled_with_its_egress_class(made: Manifests, packs: Mapping[str, SkillPack]) -> None:
    def reach(found: Manifests) -> str:
        labels: dict[str, str] = found.job["spec"]["template"]["metadata"]["labels"]
        return labels["sympozium.ai/egress"]

    assert reach(made) == "kubernetes"
    assert reach(manifests(pod_of(packs, Flags(input="x", policy="default")))) == "none"


def test_an_instance_places_and_marks_its_pods_but_not_as_ours(pod: Pod) -> None:
    placing = Placing(
        labels={"team": "a", "sympozium.ai/egress": "class-all"},
        annotations={"note": "b", "sympozium.ai/run-spec": "{}"},
        nodes={"disk": "ssd"},
        tolerations=({"key": "gpu", "operator": "Exists"},),
        priority="high",
        pull_secrets=("pull", "both"),
    )
    found = manifests(dataclasses.replace(pod, placing=placing), pull_secrets=("both",), labels={"ours": "c"})
    marks = found.job["spec"]["template"]["metadata"]
    assert marks["labels"]["team"] == "a"
    assert marks["labels"]["ours"] == "c"
    assert marks["labels"]["sympozium.ai/egress"] == "kubernetes"
    assert marks["annotations"]["note"] == "b"
    assert marks["annotations"]["sympozium.ai/run-spec"].encode() == pod.run
    spec = spec_of(found)
    assert (spec["nodeSelector"], spec["tolerations"]) == ({"disk": "ssd"}, [{"key": "gpu", "operator": "Exists"}])
    assert (spec["priorityClassName"], spec["imagePullSecrets"]) == ("high", [{"name": "both"}, {"name": "pull"}])


def test_the_owner_is_that_of_the_job(pod: Pod) -> None:
    [owner] = manifests(pod, owner=Owner("g/v1", "AgentRun", "a", "uid-1")).job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("AgentRun", "uid-1", True)
    assert "ownerReferences" not in manifests(pod).job["metadata"]


@pytest.mark.parametrize(("named", "used"), [("", "gvisor"), ("kata-qemu", "kata-qemu")])
def test_a_policys_sandbox_is_a_runtime_class(pod: Pod, named: str, used: str) -> None:
    found = dataclasses.replace(pod, sandbox=True, runtime_class=named)
    assert spec_of(manifests(found))["runtimeClassName"] == used
    assert "runtimeClassName" not in spec_of(manifests(pod))


@pytest.mark.parametrize(
    ("stated", "requests", "limits"),
    [
        (Resources(), {"cpu": "50m", "memory": "64Mi"}, {"cpu": "1000m", "memory": "512Mi"}),
        (Resources(memory=32 << 20), {"cpu": "50m", "memory": "32Mi"}, {"cpu": "1000m", "memory": "32Mi"}),
        (
            Resources(reserved_memory=1 << 30, reserved_cpu=3),
            {"cpu": "3000m", "memory": "1024Mi"},
            {"cpu": "3000m", "memory": "1024Mi"},
        ),
        (
            Resources(cpu=0.25, memory=1000, reserved_cpu=0.1, reserved_memory=1000),
            {"cpu": "100m", "memory": "1000"},
            {"cpu": "250m", "memory": "1000"},
        ),
    ],
)
def test_no_request_exceeds_its_limit(
    pod: Pod, stated: Resources, requests: Mapping[str, str], limits: Mapping[str, str]
) -> None:
    found = manifests(dataclasses.replace(pod, agent=dataclasses.replace(pod.agent, resources=stated)))
    resources = containers(found)["agent"]["resources"]
    assert {name: resources["requests"][name] for name in requests} == requests
    assert {name: resources["limits"][name] for name in limits} == limits


def quantity(text: str) -> int:
    return int(text.removesuffix("Mi")) << 20 if text.endswith("Mi") else int(text)


def test_storage_limits_leave_room_for_all_that_may_be_written(made: Manifests, pod: Pod) -> None:
    """Beyond their sum the kubelet evicts the pod, volumes included. A writer keeps to ``disk`` in all of /ipc."""
    limits = sum(quantity(one["resources"]["limits"]["ephemeral-storage"]) for one in containers(made).values())
    volumes = {one["name"]: one["emptyDir"] for one in spec_of(made)["volumes"] if "emptyDir" in one}
    others = sum(quantity(one["sizeLimit"]) for name, one in volumes.items() if not name.startswith("ipc-"))
    assert others + pod.disk * len(containers(made)) <= limits
    assert {quantity(one["sizeLimit"]) for name, one in volumes.items() if name.startswith("ipc-")} == {pod.disk}


def test_values_are_taken_as_they_are(pod: Pod) -> None:
    agent = dataclasses.replace(pod.agent, env=(*pod.agent.env, ("PARAM_X", "$(HOME) costs $5")))
    env = containers(manifests(dataclasses.replace(pod, agent=agent)))["agent"]["env"]
    assert {"name": "PARAM_X", "value": "$$(HOME) costs $$5"} in env


@pytest.mark.parametrize("name", ["ipc-" + "a" * 63, "ipc-ends-with-", "a.b", "tmp-x"])
def test_names_of_containers_and_volumes_are_what_a_cluster_takes(name: str) -> None:
    found = label(name)
    assert len(found) <= 63
    assert found[-1] != "-"
    assert "." not in found
    assert (found == name) is (name == "tmp-x")


def test_what_a_cluster_does_not_enforce_is_listed_by_name(made: Manifests, packs: Mapping[str, SkillPack]) -> None:
    assert [one.name for one in made.not_enforced] == ["egress", "processes"]
    other = parse_pack(
        "other", "sidecar: {commands: [kubectl], rbac: [{apiGroups: [''], resources: [pods], verbs: [list]}]}", "x\n"
    )
    both = pod_of({**packs, "rights": RIGHTS, "other": other}, Flags(input="x", skills=("rights", "other")))
    told = {one.name: one.what for one in manifests(both).not_enforced}
    assert told["identity"].startswith("rights, other: share one account")


def test_every_volume_is_mounted_and_every_mount_has_one(made: Manifests) -> None:
    names = Counter(one["name"] for one in spec_of(made)["volumes"])
    assert set(names.values()) == {1}
    assert set(names) == {mount["name"] for one in containers(made).values() for mount in one["volumeMounts"]}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_renders_as_recorded(name: str, packs: Mapping[str, SkillPack]) -> None:
    """SYMPOZIUM_UPDATE_GOLDEN=1 records anew."""
    bus = BUS if name == "02-skill-with-approval" else None
    documents: tuple[dict[str, Any], ...] = manifests(pod_of_example(name, packs), bus=bus, deadline=900).documents
    text = yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True, width=120)
    file = GOLDEN / f"{name}.yaml"
    if os.environ.get("SYMPOZIUM_UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()
