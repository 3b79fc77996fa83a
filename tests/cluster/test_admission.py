"""Admission on a real API server: what kubectl says of what is refused, and what is let in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.admission import Admission, installed, refusal, thing
from tests.support.cluster import Cluster
from tests.support.cluster_definitions import define_kinds

SCRIPTED = {"provider": {"name": "scripted"}}
RUN = thing("AgentRun", "r", {"instanceRef": "i", "input": "hello"})
READ_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
READ_SECRET = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["key"], "verbs": ["get"]}
REQUESTER = "{.metadata.annotations.sympozium\\.ai/requester}"


@pytest.fixture(scope="module")
def admission(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admission]:
    define_kinds(cluster)
    with installed(cluster, tmp_path_factory.mktemp("admission")) as found:
        yield found


@pytest.fixture
def place(admission: Admission) -> Iterator[str]:
    with admission.namespace() as name:
        yield name


def instance(**spec: Any) -> dict[str, Any]:
    return thing("SympoziumInstance", "i", {**SCRIPTED, "skills": [], **spec})


def pack(name: str = "p", **sidecar: Any) -> dict[str, Any]:
    return thing("SkillPack", name, {"sidecar": {"commands": [], **sidecar}})


def policy(name: str = "ours", **spec: Any) -> dict[str, Any]:
    return thing("SympoziumPolicy", name, {"template": "Default", **spec})


# -- runs against their policies -----------------------------------------------------------------------


def test_a_run_that_nothing_speaks_against_is_kept(admission: Admission, place: str) -> None:
    admission.write(place, instance(skills=["p"]), pack(), policy(), RUN)


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (
            [
                instance(skills=["p"], policy="ours"),
                pack(image="example.com/x:1"),
                policy(images={"registries": ["registry.example.com"]}),
            ],
            "SympoziumPolicy {place}/ours: spec.images.registries: the SkillPack p has the image example.com/x:1, and"
            " this policy takes images from registry.example.com alone; use an image from there, or add its registry to"
            " the policy",
        ),
        (
            [
                instance(skills=["p"], policy="ours"),
                pack(egress=["192.0.2.0/24:443"]),
                policy(egress={"allow": ["kubernetes"]}),
            ],
            "SympoziumPolicy {place}/ours: spec.egress.allow: the SkillPack p must reach 192.0.2.0/24:443, and this"
            " policy allows kubernetes alone; leave the skill out, or add 192.0.2.0/24:443 to the policy",
        ),
        (
            [instance(policy="restrictive")],
            "built-in SympoziumPolicy restrictive: spec.sandbox.runtimeClass: this policy demands a sandbox, and the"
            " cluster has no RuntimeClass gvisor; install it, or name another",
        ),
    ],
    ids=["image", "egress", "sandbox"],
)
def test_what_a_policy_does_not_let_be_is_refused_in_words(
    admission: Admission, place: str, others: list[dict[str, Any]], said: str
) -> None:
    admission.write(place, *others)
    assert refusal(lambda: admission.write(place, RUN)) == (
        'Error from server (Forbidden): error when creating "STDIN": admission webhook "runs.admission.sympozium.ai"'
        f" denied the request: {said.format(place=place)}"
    )


def test_a_runs_own_policy_holds_as_well_and_looser_limits_are_warned_of(
    admission: Admission, place: str, cluster: Cluster
) -> None:
    admission.write(place, instance(limits={"steps": 5}), policy(sandbox={"enabled": True, "runtimeClass": "kata"}))
    run = thing("AgentRun", "r", {"instanceRef": "i", "input": "x", "limits": {"steps": 50}})
    tighter = thing("AgentRun", "s", {"instanceRef": "i", "input": "x", "policy": "ours"})
    assert f"SympoziumPolicy {place}/ours: spec.sandbox" in refusal(lambda: admission.write(place, tighter))
    told = cluster.kubectl("create", "-n", place, "-f", "-", stdin=json.dumps(run), check=False)
    assert "Warning: spec.limits.steps: 50 is looser than 5, which holds over this run" in told
    assert "agentrun.sympozium.ai/r created" in told


def test_a_memory_in_each_pod_wants_runs_one_at_a_time(admission: Admission, place: str) -> None:
    said = refusal(lambda: admission.write(place, instance(memory={"enabled": True, "placement": "sidecar"})))
    assert "spec.memory.placement: sidecar goes with maxConcurrentRuns: 1" in said
    admission.write(place, instance(memory={"enabled": True, "placement": "sidecar"}, maxConcurrentRuns=1))


def test_what_is_missing_refuses_nothing_in_any_order(admission: Admission, place: str) -> None:
    away = instance(skills=["away"], policy="away", mcpServers=["away"])
    admission.write(place, RUN)
    admission.write(place, away, thing("AgentRun", "later", {"instanceRef": "i", "input": "x"}))


# -- what an object says itself --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "webhook", "said"),
    [
        (
            policy(requireApproval=["write_file"]),
            "objects",
            "SympoziumPolicy {place}/ours: spec.requireApproval: write_file runs inside the agent, where nobody can be"
            " asked: put it into deniedTools, or leave it out here",
        ),
        (
            instance(provider={"name": "nobody"}),
            "objects",
            "SympoziumInstance {place}/i: spec.provider.name: unknown provider 'nobody'; known are openai, azure,"
            " anthropic, bedrock, ollama, lmstudio, scripted, replay",
        ),
        (
            pack(tools=[{"name": "t", "argv": ["x", "{nothing}"], "parameters": {"type": "object"}}]),
            "packs",
            "SkillPack {place}/p: spec.sidecar.tools.0.argv.1: {{nothing}} is none of the tool's parameters",
        ),
        (
            pack(egress=["example.com:443"]),
            "packs",
            "SkillPack {place}/p: spec.sidecar.egress.0: 'example.com:443' must be kubernetes or CIDR:port, such as"
            " 10.0.0.0/8:443 (a NetworkPolicy knows no host names)",
        ),
        (
            thing("MCPServer", "m", {"transport": "http", "url": "https://x.example", "headers": {"cookie": "abc"}}),
            "objects",
            "MCPServer {place}/m: spec.headers.cookie: must be taken from the Secret, as ${{KEY}}: the agent can read"
            " what stands here",
        ),
    ],
    ids=["policy", "instance", "pack", "egress", "server"],
)
def test_an_object_is_refused_for_what_its_schema_cannot_see(
    admission: Admission, place: str, value: dict[str, Any], webhook: str, said: str
) -> None:
    found = refusal(lambda: admission.write(place, value))
    assert (
        f'admission webhook "{webhook}.admission.sympozium.ai" denied the request: {said.format(place=place)}' in found
    )


def test_a_changed_spec_is_judged_again(admission: Admission, place: str, cluster: Cluster) -> None:
    admission.write(place, policy())
    change = json.dumps({"spec": {"requireApproval": ["fetch_url"]}})
    words = ("patch", "spol", "ours", "-n", place, "--type=merge", "-p", change)
    assert "nobody can be asked" in refusal(lambda: cluster.kubectl(*words))


# -- what an author must hold ----------------------------------------------------------------------------


def test_a_tenant_cannot_write_a_pack_that_gives_more_than_he_holds(admission: Admission, place: str) -> None:
    alice = admission.user(place, READ_PODS)
    greedy = pack(rbac=[READ_PODS, {**READ_PODS, "verbs": ["delete"]}])
    assert refusal(lambda: admission.write(place, greedy, user=alice)) == (
        'Error from server (Forbidden): error when creating "STDIN": admission webhook "packs.admission.sympozium.ai"'
        f" denied the request: SkillPack {place}/p: spec.sidecar.rbac.1: alice does not hold what this would give to"
        f" runs: delete pods in the namespace {place}; who writes a SkillPack must hold each right that it gives: leave"
        " it out, or let somebody write it who has it"
    )
    admission.write(place, pack(rbac=[READ_PODS]), user=alice)
    change = pack(rbac=[{**READ_PODS, "verbs": ["*"]}])
    assert "* pods in the namespace" in refusal(lambda: admission.write(place, change, user=alice, how="apply"))


def test_a_tenant_cannot_let_a_pack_act_where_he_holds_nothing(admission: Admission, place: str) -> None:
    alice = admission.user(place, READ_PODS)
    with admission.namespace() as other:
        admission.write(place, pack(rbac=[READ_PODS]))
        elsewhere = instance(skills=["p"], skillConfig={"p": {"namespaces": [place, other]}})
        found = refusal(lambda: admission.write(place, elsewhere, user=alice))
        assert (
            f"SympoziumInstance {place}/i: spec.skillConfig.p.namespaces: alice does not hold what this would give to"
            f" runs: get pods in the namespace {other}; list pods in the namespace {other}; who writes" in found
        )
        admission.grant(other, alice, READ_PODS)
        admission.write(place, elsewhere, user=alice)


def test_who_changes_a_pack_must_hold_its_rules_where_others_let_it_act(admission: Admission, place: str) -> None:
    alice = admission.user(place, READ_PODS)
    with admission.namespace() as other:
        admission.write(place, instance(skills=["p"], skillConfig={"p": {"namespaces": [other]}}))
        found = refusal(lambda: admission.write(place, pack(rbac=[READ_PODS]), user=alice))
        assert (
            f"spec.sidecar.rbac.0: alice does not hold what this would give to runs: get pods in the namespace {other}"
            in (found)
        )


def test_a_tenant_cannot_name_a_secret_that_he_may_not_read(admission: Admission, place: str) -> None:
    alice = admission.user(place)
    named = {
        "spec.provider.apiKeySecret": instance(provider={"name": "openai", "model": "m", "apiKeySecret": "key"}),
        "spec.skillConfig.p.secretRef": instance(skills=["p"], skillConfig={"p": {"secretRef": "key"}}),
        "spec.sidecar.secretRef": pack(secretRef="key"),
        "spec.secretRef": thing(
            "MCPServer",
            "m",
            {"transport": "http", "url": "https://x.example", "secretRef": "key", "headers": {"x-api-key": "${KEY}"}},
        ),
    }
    for where, value in named.items():
        said = refusal(lambda value=value: admission.write(place, value, user=alice))  # type: ignore[misc]
        assert f"{where}: alice does not hold what this would give to runs: get secrets key in the namespace" in said
    admission.grant(place, alice, READ_SECRET)
    for value in named.values():
        admission.write(place, value, user=alice, how="apply")


def test_who_changes_a_pack_must_be_able_to_read_the_secrets_that_others_give_it(
    admission: Admission, place: str
) -> None:
    alice = admission.user(place)
    admission.write(place, pack(commands=["kubectl"]))
    admission.write(place, instance(skills=["p"], skillConfig={"p": {"secretRef": "key"}}))
    admission.write(place, pack("q"), user=alice)
    change = pack(commands=[])
    said = refusal(lambda: admission.write(place, change, user=alice, how="apply"))
    assert "spec.sidecar: alice does not hold what this would give to runs: get secrets key in the namespace" in said
    admission.grant(place, alice, READ_SECRET)
    admission.write(place, change, user=alice, how="apply")


@pytest.mark.parametrize("named", [["p", "q"], ["p", {"skillPackRef": "q"}]])
def test_who_gives_a_pack_rules_must_hold_those_of_the_skills_that_it_would_share_an_account_with(
    admission: Admission, place: str, named: list[Any]
) -> None:
    alice = admission.user(place, READ_PODS)
    removing = {**READ_PODS, "verbs": ["delete"]}
    admission.write(place, pack(rbac=[removing]), pack("q"))
    admission.write(place, instance(skills=named))
    admission.write(place, pack("q", commands=["kubectl"]), user=alice, how="apply")
    change = pack("q", rbac=[READ_PODS])
    said = refusal(lambda: admission.write(place, change, user=alice, how="apply"))
    assert "spec.sidecar.rbac: alice does not hold what this would give to runs: delete pods in the namespace" in said
    admission.grant(place, alice, removing)
    admission.write(place, change, user=alice, how="apply")


def test_a_field_of_another_type_is_told_by_the_schema(admission: Admission, place: str, cluster: Cluster) -> None:
    """Writing down who asks comes before the schema: it must not stumble over what the schema would refuse."""
    wrong = instance(skills="shell", maxConcurrentRuns="many")
    for words in (("create",), ("apply", "--validate=false")):
        said = refusal(lambda words=words: cluster.kubectl(*words, "-n", place, "-f", "-", stdin=json.dumps(wrong)))
        assert 'spec.skills: Invalid value: "string"' in said
        assert 'spec.maxConcurrentRuns: Invalid value: "string"' in said


# -- who asked -----------------------------------------------------------------------------------------------


def test_the_requester_is_written_on_a_run_whatever_he_says(admission: Admission, place: str, cluster: Cluster) -> None:
    alice = admission.user(place)
    lied = thing("AgentRun", "lied", {"instanceRef": "i", "input": "x"}, annotations={"sympozium.ai/requester": "bob"})
    kept = thing("AgentRun", "kept", {"instanceRef": "i", "input": "x"}, annotations={"mine": "yes"})
    for value in (RUN, lied, kept):
        admission.write(place, value, user=alice)
        name = value["metadata"]["name"]
        assert cluster.kubectl("get", "agentrun", name, "-n", place, "-o", f"jsonpath={REQUESTER}") == "alice"
    assert cluster.get("agentrun", "kept", "-n", place)["metadata"]["annotations"]["mine"] == "yes"
    change = ("annotate", "agentrun", "kept", "-n", place, "--overwrite", "sympozium.ai/requester=bob")
    assert "never changes" in refusal(lambda: cluster.kubectl(*change))
    assert "never changes" in refusal(lambda: cluster.kubectl(*change[:-1], "sympozium.ai/requester-"))


def test_who_cancels_a_run_is_written_on_it_whatever_he_says(
    admission: Admission, place: str, cluster: Cluster
) -> None:
    """And who does not cancel it writes nothing of the kind."""
    admission.write(place, RUN)
    alice, where = admission.user(place), ("agentrun", "r", "-n", place)

    def says(change: dict[str, Any], *words: str) -> str:
        return cluster.kubectl("patch", *where, "--type=merge", "-p", json.dumps(change), *words)

    early = {"metadata": {"annotations": {"sympozium.ai/canceller": "bob"}}}
    assert "names nobody else" in refusal(lambda: says(early))
    says(early | {"spec": {"cancel": True}}, f"--as={alice}")
    assert cluster.get(*where)["metadata"]["annotations"]["sympozium.ai/canceller"] == alice
    assert "never changes" in refusal(lambda: says(early))
    assert "never changes" in refusal(lambda: cluster.kubectl("annotate", *where, "sympozium.ai/canceller-"))


def test_a_run_that_the_server_names_is_judged_too(admission: Admission, place: str, cluster: Cluster) -> None:
    run = {**RUN, "metadata": {"generateName": "run-"}}
    admission.write(place, instance(), run)
    admission.write(place, policy("default", sandbox={"enabled": True, "runtimeClass": "kata"}))
    assert "has no RuntimeClass kata" in refusal(lambda: admission.write(place, run))


# -- what came before ----------------------------------------------------------------------------------------


def test_what_nobody_can_read_refuses_the_runs_that_need_it_and_stops_no_other(
    admission: Admission, cluster: Cluster
) -> None:
    with cluster.namespace() as name:  # without the label: admission does not see it yet
        asks = policy("asks", requireApproval=["read_file"])
        bad = thing("SkillPack", "bad", {"sidecar": {"commands": [], "tools": [{"name": "t", "argv": ["x", "{y}"]}]}})
        admission.write(name, asks, bad, instance(provider={"name": "nobody"}))
        admission.write(name, thing("SympoziumInstance", "asks", {**SCRIPTED, "skills": [], "policy": "asks"}))
        admission.write(name, thing("SympoziumInstance", "bad", {**SCRIPTED, "skills": ["bad"]}))
        admission.write(name, thing("SympoziumInstance", "good", {**SCRIPTED, "skills": []}))
        cluster.kubectl("label", "namespace", name, f"admission={admission.token}")
        admission.write(name, thing("AgentRun", "good", {"instanceRef": "good", "input": "x"}))
        for reference, said in (
            ("asks", f"SympoziumPolicy {name}/asks: spec.requireApproval: read_file runs inside the agent"),
            ("bad", f"SkillPack {name}/bad: spec.sidecar.tools.0.argv.1: {{y}} is none of the tool's parameters"),
        ):
            run = thing("AgentRun", reference, {"instanceRef": reference, "input": "x"})
            assert said in refusal(lambda run=run: admission.write(name, run))  # type: ignore[misc]


# -- what an author of an instance must still hold -----------------------------------------------------------


def test_who_named_a_pack_before_it_came_gives_his_runs_no_more_than_he_holds(
    admission: Admission, place: str, cluster: Cluster
) -> None:
    alice = admission.user(place)
    with admission.namespace() as other:
        early = instance(skills=["late"], skillConfig={"late": {"namespaces": [other]}})
        admission.write(place, early, user=alice)
        admission.write(place, pack("late", rbac=[READ_PODS]))  # by an administrator, who holds its rules everywhere
        assert (
            f"SympoziumInstance {place}/i: spec.skillConfig.late.namespaces: was written by alice, who does not hold"
            f" what this run would be given: get pods in the namespace {other}; list pods in the namespace {other};"
            " whoever holds it must change the instance himself"
        ) in refusal(lambda: admission.write(place, RUN))
        forged = ("annotate", "si", "i", "-n", place, "--overwrite", "sympozium.ai/author=root\nsystem:masters")
        cluster.kubectl(*forged)
        assert "was written by alice" in refusal(lambda: admission.write(place, RUN))
        admission.grant(other, alice, READ_PODS)
        admission.write(place, RUN)


def test_who_changes_an_instance_is_its_author_from_then_on(admission: Admission, place: str, cluster: Cluster) -> None:
    alice = admission.user(place)
    author = ("get", "si", "i", "-n", place, "-o", "jsonpath={.metadata.annotations.sympozium\\.ai/author}")
    admission.write(place, {**instance(), "metadata": {"name": "i", "annotations": {"sympozium.ai/author": "root"}}})
    administrator = cluster.kubectl(*author)
    assert "system:authenticated" in administrator
    cluster.kubectl("label", "si", "i", "-n", place, "--as", alice, "seen=yes")
    assert cluster.kubectl(*author) == administrator
    admission.write(place, instance(systemPrompt="Hello."), user=alice, how="apply")
    assert cluster.kubectl(*author).split("\n") == ["alice", "system:authenticated"]
