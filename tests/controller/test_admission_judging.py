"""What admission says of an object and all it leads to: refused with rule, field and remedy, or kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from sympozium_controller.admission.authors import ANNOTATION_AUTHOR, author_of, stamp_of
from sympozium_controller.admission.judging import Judgement, Known, judge, origin_of, read
from sympozium_controller.documents import Objects
from sympozium_controller.errors import Refused
from sympozium_controller.objects import SkillPack, SympoziumInstance

SYSTEM = "sympozium-system"
SCRIPTED = {"provider": {"name": "scripted"}}


def thing(kind: str, name: str, spec: Mapping[str, Any], namespace: str = "team", **metadata: Any) -> dict[str, Any]:
    head = {"apiVersion": "sympozium.ai/v1alpha1", "kind": kind}
    return {**head, "metadata": {"name": name, "namespace": namespace, **metadata}, "spec": dict(spec)}


def policy(name: str, floor: bool = False, **spec: Any) -> dict[str, Any]:
    labels = {"sympozium.ai/policy-floor": "true"} if floor else {}
    return thing("SympoziumPolicy", name, {"template": "Default", **spec}, labels=labels)


def pack(name: str, namespace: str = "team", params: Mapping[str, Any] | None = None, **sidecar: Any) -> dict[str, Any]:
    return thing("SkillPack", name, {"params": params or {}, "sidecar": {"commands": [], **sidecar}}, namespace)


def judged(value: Mapping[str, Any], *others: Mapping[str, Any], **known: Any) -> Judgement:
    """This object, where these others are."""
    objects, packs, instances = Objects(), {}, []
    for other in others:
        found = read(other)
        if found.namespace == SYSTEM and isinstance(found, SkillPack):
            packs[found.name] = found
        else:
            objects.add(found, origin_of(other))
        if isinstance(found, SympoziumInstance):
            instances.append(found)
    found = read(json.loads(json.dumps(value)))
    return judge(found, origin_of(value), Known(objects, packs, instances=tuple(instances), **known), system=SYSTEM)


def said(judgement: Judgement) -> str:
    assert judgement.refused, "it was let in"
    return judgement.refused.message


SHELL = pack("shell", SYSTEM)
INSTANCE = thing("SympoziumInstance", "i", SCRIPTED)
RUN = thing("AgentRun", "r", {"instanceRef": "i", "input": "hello"})


def test_a_run_that_its_policies_let_be_is_kept() -> None:
    found = judged(RUN, INSTANCE, SHELL)
    assert (found.refused, found.wanted, found.warnings) == (None, (), ())


def test_a_run_waits_for_what_is_not_there() -> None:
    away = thing("SympoziumInstance", "i", {**SCRIPTED, "skills": ["away"], "policy": "away", "mcpServers": ["away"]})
    for others in ((), (away,), (INSTANCE,)):
        assert judged(RUN, *others).refused is None


def test_a_policy_that_asks_before_a_tool_of_the_agent_itself_refuses_the_run() -> None:
    floor = policy("floor", floor=True, requireApproval=["read_file"])
    assert said(judged(RUN, INSTANCE, SHELL, floor)) == (
        "SympoziumPolicy team/floor: spec.requireApproval: read_file runs inside the agent, where nobody can be asked; "
        "deny it or allow it"
    )


def test_an_image_from_elsewhere_than_the_policy_says_refuses_the_run() -> None:
    instance = thing("SympoziumInstance", "i", {**SCRIPTED, "skills": ["k8s-ops"], "policy": "ours"})
    ours = policy("ours", images={"registries": ["registry.example.com/sre"]})
    assert said(judged(RUN, instance, pack("k8s-ops", image="example.com/stranger:1"), ours)) == (
        "SympoziumPolicy team/ours: spec.images.registries: the SkillPack k8s-ops has the image example.com/stranger:1,"
        " and this policy takes images from registry.example.com/sre alone; use an image from there, or add its"
        " registry to the policy"
    )
    for image in ("registry.example.com/sre/x:1", "skill-k8s-ops", ""):
        assert judged(RUN, instance, pack("k8s-ops", image=image), ours).refused is None


@pytest.mark.parametrize(
    ("wanted", "allowed", "kept"),
    [
        ("kubernetes", ["kubernetes"], True),
        ("kubernetes", ["0.0.0.0/0:443"], False),
        ("10.1.0.0/16:443", ["10.0.0.0/8:443"], True),
        ("10.1.0.0/16:80", ["10.0.0.0/8:443"], False),
        ("10.0.0.0/8:443", ["10.1.0.0/16:443"], False),
        ("[fd00::/16]:443", ["fd00::/8:443"], True),
        ("10.1.0.0/16:443", ["fd00::/8:443"], False),
        ("10.1.0.0/16:443", [], True),
    ],
)
def test_what_a_skill_must_reach_is_within_what_every_policy_allows(
    wanted: str, allowed: list[str], kept: bool
) -> None:
    instance = thing("SympoziumInstance", "i", {**SCRIPTED, "skills": ["k8s-ops"], "policy": "ours"})
    found = judged(RUN, instance, pack("k8s-ops", egress=[wanted]), policy("ours", egress={"allow": allowed}))
    assert (found.refused is None) == kept
    if not kept:
        assert f"spec.egress.allow: the SkillPack k8s-ops must reach {wanted}, and this policy allows" in said(found)


def test_a_sandbox_is_demanded_where_there_is_one() -> None:
    instance = thing("SympoziumInstance", "i", {**SCRIPTED, "policy": "restrictive"})
    assert said(judged(RUN, instance, SHELL, sandboxes=frozenset({"runc"}))) == (
        "built-in SympoziumPolicy restrictive: spec.sandbox.runtimeClass: this policy demands a sandbox, and the"
        " cluster has no RuntimeClass gvisor; install it, or name another"
    )
    assert judged(RUN, instance, SHELL, sandboxes=frozenset({"gvisor"})).refused is None
    kata = policy("kata", floor=True, sandbox={"enabled": True, "runtimeClass": "kata"})
    assert judged(RUN, instance, SHELL, kata, sandboxes=frozenset({"kata"})).refused is None
    other = policy("other", floor=True, sandbox={"enabled": True, "runtimeClass": "gvisor"})
    assert "a pod has one; name the same in both" in said(judged(RUN, instance, SHELL, kata, other))


def test_a_runs_own_policy_and_limits_only_tighten() -> None:
    instance = thing("SympoziumInstance", "i", {**SCRIPTED, "limits": {"steps": 10}, "policy": "floor"})
    run = thing(
        "AgentRun",
        "r",
        {"instanceRef": "i", "input": "x", "policy": "permissive", "limits": {"steps": 99, "tokens": 0}},
    )
    floor = policy("floor", limits={"tokens": 500}, requireApproval=["fetch_url"])
    assert "spec.requireApproval: fetch_url" in said(judged(run, instance, SHELL, floor))
    floor = policy("floor", limits={"tokens": 500})
    assert judged(run, instance, SHELL, floor).warnings == (
        "spec.limits.steps: 99 is looser than 10, which holds over this run",
        "spec.limits.tokens: 0 is looser than 500, which holds over this run",
    )


def test_a_skill_whose_every_tool_is_denied_is_told_as_a_warning() -> None:
    floor = policy("floor", floor=True, deniedTools=["execute_command"])
    assert judged(RUN, INSTANCE, SHELL, floor).warnings == ("the policies of this run deny every tool of shell",)


def test_a_run_of_what_nobody_can_read_is_refused_and_says_what() -> None:
    fault = Refused(read_fault().reason, origin_of(INSTANCE), "spec.skills.0", "is no skill")
    assert said(judged(RUN, SHELL, faults=(fault,))) == "SympoziumInstance team/i: spec.skills.0: is no skill"


def read_fault() -> Refused:
    with pytest.raises(Refused) as caught:
        read({"kind": "SympoziumInstance", "metadata": {}})
    return caught.value


def test_a_cancelled_run_is_kept_whatever_its_policies_say() -> None:
    run = thing("AgentRun", "r", {"instanceRef": "i", "input": "x", "cancel": True})
    assert judged(run, INSTANCE, policy("floor", floor=True, requireApproval=["read_file"])).refused is None


# -- policies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "field", "why"),
    [
        ({"requireApproval": ["write_file"]}, "spec.requireApproval", "nobody can be asked: put it into deniedTools"),
        ({"egress": {"allow": ["example.com:443"]}}, "spec.egress.allow.0", "a NetworkPolicy knows no host names"),
        ({"egress": {"allow": ["kubernetes", "10.0.0.1/8:443"]}}, "spec.egress.allow.1", "CIDR:port"),
        ({"egress": {"allow": ["10.0.0.0/8:99999"]}}, "spec.egress.allow.0", "CIDR:port"),
        ({"images": {"registries": ["https://x.example"]}}, "spec.images.registries.0", "write host or host/path"),
        ({"images": {"registries": ["*"]}}, "spec.images.registries.0", "neither a registry's host nor host/path"),
    ],
)
def test_a_policy_that_could_not_hold_is_refused(spec: dict[str, Any], field: str, why: str) -> None:
    found = said(judged(policy("p", **spec)))
    assert found.startswith(f"SympoziumPolicy team/p: {field}: ")
    assert why in found


def test_a_policy_may_name_tools_that_nobody_knows_and_deny_what_it_also_asks_for() -> None:
    assert judged(policy("p", requireApproval=["made_up"], deniedTools=["other"])).refused is None
    assert judged(policy("p", requireApproval=["fetch_url"], deniedTools=["fetch_url"])).refused is None


def test_a_policy_named_as_a_built_in_one_has_its_template() -> None:
    assert said(judged(policy("restrictive", template="Permissive"))) == (
        "SympoziumPolicy team/restrictive: spec.template: a policy named restrictive must have the template Restrictive"
    )


# -- instances, packs, servers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"provider": {"name": "nobody"}}, "spec.provider.name"),
        ({"provider": {"name": "openai", "model": "m", "baseURL": "ftp://x"}}, "spec.provider.baseURL"),
        ({"provider": {"name": "nobody"}, "policy": "away", "skills": ["away"]}, "spec.provider.name"),
        ({**SCRIPTED, "skillConfig": {"other": {"namespaces": ["x"]}}}, "spec.skillConfig.other"),
        ({**SCRIPTED, "skills": [{"skillPackRef": "k8s-ops", "params": {"x": 1}}]}, "spec.skills.0.params.x"),
    ],
)
def test_an_instance_is_refused_for_what_it_says_itself(spec: dict[str, Any], field: str) -> None:
    value = thing("SympoziumInstance", "i", spec)
    assert said(judged(value, SHELL, pack("k8s-ops"))).startswith(f"SympoziumInstance team/i: {field}: ")


def test_an_instance_is_not_refused_for_what_others_say() -> None:
    floor = policy("default", requireApproval=["read_file"])
    broken = pack("k8s-ops", tools=[{"name": "t", "argv": ["x", "{nothing}"]}])
    instance = thing("SympoziumInstance", "i", {**SCRIPTED, "skills": ["k8s-ops", "away"], "policy": "default"})
    assert judged(instance, floor, broken).refused is None


def rights(judgement: Judgement) -> list[tuple[str, str]]:
    assert judgement.refused is None, judgement.refused
    return [(wanted.field, wanted.right.told) for wanted in judgement.wanted]


def test_who_writes_an_instance_must_hold_the_rules_of_its_packs_where_it_says_and_read_its_secrets() -> None:
    rule = {"apiGroups": ["", "apps"], "resources": ["pods/log"], "verbs": ["get"]}
    shipped = pack("k8s-ops", SYSTEM, rbac=[rule], clusterRBAC=[{**rule, "apiGroups": [""]}], secretRef="pack-secret")
    spec = {
        "provider": {"name": "openai", "model": "m", "apiKeySecret": "openai"},
        "skills": ["k8s-ops", "away"],
        "skillConfig": {"k8s-ops": {"namespaces": ["payments"]}, "away": {"secretRef": "other"}},
        "podTemplate": {"imagePullSecrets": [{"name": "pull"}]},
    }
    assert rights(judged(thing("SympoziumInstance", "i", spec), shipped)) == [
        ("spec.skillConfig.k8s-ops.namespaces", "get pods/log in the namespace payments"),
        ("spec.skillConfig.k8s-ops.namespaces", "get pods/log.apps in the namespace payments"),
        ("spec.skills", "get pods/log everywhere"),
        ("spec.skills", "get secrets pack-secret in the namespace team"),
        ("spec.provider.apiKeySecret", "get secrets openai in the namespace team"),
        ("spec.skillConfig.away.secretRef", "get secrets other in the namespace team"),
        ("spec.podTemplate.imagePullSecrets.0", "get secrets pull in the namespace team"),
    ]


def test_who_writes_a_pack_must_hold_its_rules_wherever_an_instance_lets_it_act() -> None:
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "delete"], "resourceNames": ["a"]}
    elsewhere = thing(
        "SympoziumInstance", "i", {**SCRIPTED, "skills": ["p"], "skillConfig": {"p": {"namespaces": ["payments"]}}}
    )
    assert rights(judged(pack("p", rbac=[rule], secretRef="s"), elsewhere)) == [
        ("spec.sidecar.rbac.0", "get pods a in the namespace team"),
        ("spec.sidecar.rbac.0", "delete pods a in the namespace team"),
        ("spec.sidecar.rbac.0", "get pods a in the namespace payments"),
        ("spec.sidecar.rbac.0", "delete pods a in the namespace payments"),
        ("spec.sidecar.secretRef", "get secrets s in the namespace team"),
    ]


@pytest.mark.parametrize("resources", [["pods", "secrets"], ["*"]])
def test_a_pack_that_asks_for_secrets_is_kept_with_a_warning(resources: list[str]) -> None:
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": resources, "verbs": ["get"]},
    ]
    found = judged(pack("p", rbac=rules))
    assert found.refused is None
    why = "no run is given rights on secrets unless the ClusterRole sympozium-grantable has them"
    assert found.warnings == (f"spec.sidecar.rbac.1: {why}",)
    assert not judged(pack("p", rbac=rules[:1])).warnings


def test_a_pack_with_more_rights_than_can_be_asked_for_is_refused() -> None:
    rule = {"apiGroups": [""], "resources": [f"r{n}" for n in range(60)], "verbs": [f"v{n}" for n in range(60)]}
    assert "names more than 512 rights one by one" in said(judged(pack("p", rbac=[rule])))


def test_a_pack_is_refused_for_what_its_fields_alone_do_not_say() -> None:
    twice = [{"name": "t", "argv": ["x"]}, {"name": "t", "argv": ["y"]}]
    assert said(judged(pack("p", tools=twice))) == (
        "SkillPack team/p: spec.sidecar.tools.1.name: there are two tools t"
    )
    assert "a NetworkPolicy knows no host names" in said(judged(pack("p", egress=["example.com:443"])))
    everywhere = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]
    assert f"only packs of the namespace {SYSTEM}" in said(judged(pack("p", clusterRBAC=everywhere)))
    assert rights(judged(pack("p", SYSTEM, clusterRBAC=everywhere))) == [
        ("spec.sidecar.clusterRBAC.0", "get nodes everywhere")
    ]


def test_who_writes_a_server_must_read_the_secret_that_is_sent_there() -> None:
    spec = {"transport": "http", "url": "https://mcp.example/", "secretRef": "s", "headers": {"x-api-key": "${KEY}"}}
    assert rights(judged(thing("MCPServer", "m", spec))) == [("spec.secretRef", "get secrets s in the namespace team")]
    assert "must be taken from the Secret" in said(
        judged(thing("MCPServer", "m", {**spec, "headers": {"x-api-key": "abc"}}))
    )


# -- authors of instances ----------------------------------------------------------------------------------


def test_a_run_needs_of_its_instances_author_what_nobody_of_the_namespace_vouches_for() -> None:
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    spec = {**SCRIPTED, "skills": ["own", "shipped"], "skillConfig": {"own": {"namespaces": ["team", "payments"]}}}
    others = (
        thing("SympoziumInstance", "i", spec),
        pack("own", rbac=[rule], secretRef="s"),
        pack("shipped", SYSTEM, rbac=[rule], secretRef="t"),
    )
    found = judged(RUN, *others)
    assert found.author is not None
    assert found.author.name == "i"
    assert rights(found) == [
        ("spec.skillConfig.own.namespaces", "get pods in the namespace payments"),
        ("spec.skills", "get pods in the namespace team"),
        ("spec.skills", "get secrets t in the namespace team"),
    ]


def test_an_author_is_written_so_that_nobody_passes_as_another() -> None:
    user = {"username": "alice", "groups": ["team", "system:authenticated"]}
    written = thing("SympoziumInstance", "i", SCRIPTED, annotations={ANNOTATION_AUTHOR: stamp_of(user)})
    found = read(written)
    assert isinstance(found, SympoziumInstance)
    assert author_of(found) == user
    assert stamp_of({"username": "alice\nsystem:masters"}) == ""
    assert stamp_of({"username": "alice", "groups": ["a\nsystem:masters"]}) == ""
    for unknown in ("", "\nsystem:masters"):
        found = read(thing("SympoziumInstance", "i", SCRIPTED, annotations={ANNOTATION_AUTHOR: unknown}))
        assert isinstance(found, SympoziumInstance)
        assert author_of(found) is None
