"""render/kubernetes: which walls a pod of a cluster has, and what it is told; golden files of the examples."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from sympozium_controller.flags import Flags
from sympozium_controller.objects import SkillPack
from sympozium_controller.packs import parse_pack
from sympozium_controller.pod import Placing, Pod, Resources
from sympozium_controller.render import egress
from sympozium_controller.render.kubernetes import Manifests, Owner
from sympozium_controller.render.kubernetes.containers import message_size
from sympozium_controller.render.kubernetes.limited import label
from tests.support.kubernetes_made import BUS, RIGHTS, made, pod
from tests.support.kubernetes_pods import (
    EXAMPLES,
    ROOT,
    containers,
    manifests,
    pod_of,
    pod_of_example,
    spec_of,
)

__all__ = ["made", "pod"]

GOLDEN = ROOT / "tests" / "golden" / "kubernetes"


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
