"""What a few kilobytes of rules multiply to is never made: it is refused at the first too many."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

import pytest
from hypothesis import given, strategies as st

from sympozium_controller import schemas
from sympozium_controller.admission import bounds, egress
from sympozium_controller.admission.authors import vouched_for
from sympozium_controller.admission.bounds import MAX_NAMED, MAX_PLACES, MAX_RIGHTS, distinct, places
from sympozium_controller.admission.egress import Reach, place
from sympozium_controller.admission.judging import Judgement, Known, judge, origin_of, read
from sympozium_controller.admission.known import known_of
from sympozium_controller.admission.rights import Right, Wanted
from sympozium_controller.documents import Objects
from sympozium_controller.errors import Origin, Refused
from sympozium_controller.objects import SkillPack, SympoziumInstance
from sympozium_controller.policies import MAX_POLICIES
from sympozium_controller.servers import keys_in
from sympozium_protocol.kube.resources import Resource

SYSTEM = "sympozium-system"
ORIGIN = Origin("SkillPack team/p")
WIDE = [f"w{number}" for number in range(256)]
EVERYTHING = {"apiGroups": WIDE, "resources": WIDE, "verbs": WIDE, "resourceNames": WIDE}
"""256^4 rights in eight kilobytes."""
AGAIN = {"apiGroups": ["apps"] * 256, "resources": ["pods"] * 256, "verbs": ["get"] * 256, "resourceNames": ["a"] * 256}
"""One right, as often."""
READ = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
PORTS = st.sampled_from((80, 443))
ADDRESSES = st.one_of(
    st.tuples(st.integers(0, 255), st.integers(0, 32)).map(
        lambda one: str(IPv4Network((one[0] << 24 | one[0] << 3, one[1]), strict=False))
    ),
    st.tuples(st.integers(0, 255), st.integers(0, 128)).map(
        lambda one: str(IPv6Network((one[0] << 120 | one[0] << 5, one[1]), strict=False))
    ),
)
MANY = f"names more than {MAX_RIGHTS} rights one by one"


def thing(kind: str, name: str, spec: Mapping[str, Any], namespace: str = "team") -> dict[str, Any]:
    head = {"apiVersion": "sympozium.ai/v1alpha1", "kind": kind}
    return {**head, "metadata": {"name": name, "namespace": namespace}, "spec": dict(spec)}


def pack(name: str, *rules: Mapping[str, Any], namespace: str = "team", **sidecar: Any) -> dict[str, Any]:
    return thing("SkillPack", name, {"sidecar": {"commands": [], "rbac": list(rules), **sidecar}}, namespace)


def instance(name: str, **acts: list[str]) -> dict[str, Any]:
    """With these skills, each in these namespaces."""
    config = {skill: {"namespaces": namespaces} for skill, namespaces in acts.items() if namespaces}
    spec = {"provider": {"name": "scripted"}, "skills": list(acts), "skillConfig": config}
    return thing("SympoziumInstance", name, spec)


def judged(value: Mapping[str, Any], *others: Mapping[str, Any]) -> Judgement:
    objects, packs, instances = Objects(), {}, []
    for other in others:
        found = read(other)
        if isinstance(found, SkillPack) and found.namespace == SYSTEM:
            packs[found.name] = found
        else:
            objects.add(found, origin_of(other))
        if isinstance(found, SympoziumInstance):
            instances.append(found)
    return judge(read(value), origin_of(value), Known(objects, packs, instances=tuple(instances)), system=SYSTEM)


def told(judgement: Judgement) -> list[str]:
    assert judgement.refused is None, judgement.refused
    return [one.right.told for one in judgement.wanted]


def said(judgement: Judgement) -> str:
    assert judgement.refused, "it was let in"
    return judgement.refused.message


def test_rights_are_made_one_at_a_time_and_no_more_than_are_looked_at() -> None:
    made = 0

    def endless(*names: str) -> Iterator[Wanted]:
        nonlocal made
        for made, name in enumerate(itertools.cycle(names), 1):
            yield Wanted(Right("team", "", "pods", "get", name=name), f"at.{made}")

    with pytest.raises(Refused, match=rf"at.{MAX_RIGHTS + 1}: {MANY}"):
        distinct(endless(*map(str, range(MAX_RIGHTS + 1))), ORIGIN)
    assert made == MAX_RIGHTS + 1
    with pytest.raises(Refused, match=f"names rights more than {MAX_NAMED} times"):
        distinct(endless("a", "b"), ORIGIN)
    assert made == MAX_NAMED + 1
    with pytest.raises(Refused, match="in more than 262144 places"):
        list(places(endless("a"), ORIGIN, "spec.sidecar.rbac"))
    assert made == MAX_PLACES + 1


def test_a_pack_of_billions_of_rights_is_refused() -> None:
    assert said(judged(pack("p", EVERYTHING))).startswith(f"SkillPack team/p: spec.sidecar.rbac.0: {MANY}")
    shipped = pack("p", namespace=SYSTEM, clusterRBAC=[EVERYTHING])
    assert f"spec.sidecar.clusterRBAC.0: {MANY}" in said(judged(shipped))


def test_an_instance_of_a_pack_of_billions_of_rights_is_refused_and_so_is_its_run() -> None:
    for namespace in ("team", SYSTEM):
        huge = pack("p", EVERYTHING, namespace=namespace)
        value = instance("i", p=["payments"])
        assert f"SympoziumInstance team/i: spec.skillConfig.p.namespaces: {MANY}" in said(judged(value, huge))
        run = thing("AgentRun", "r", {"instanceRef": "i", "input": "x"})
        assert f"SympoziumInstance team/i: spec.skillConfig.p.namespaces: {MANY}" in said(judged(run, value, huge))


def test_what_a_run_needs_of_nobody_but_its_packs_author_is_not_even_made() -> None:
    found, huge = read(instance("i", p=["team"])), read(pack("p", EVERYTHING))
    assert isinstance(found, SympoziumInstance)
    assert isinstance(huge, SkillPack)
    assert list(vouched_for(found, [huge], {})) == []


def test_a_word_that_is_named_again_counts_once() -> None:
    assert told(judged(pack("p", AGAIN))) == ["get pods.apps a in the namespace team"]
    acts = instance("i", p=["payments"])
    assert told(judged(acts, pack("p", AGAIN))) == ["get pods.apps a in the namespace payments"]


def test_rules_times_namespaces_times_instances_are_bounded() -> None:
    spaces = [f"n{number}" for number in range(40)]
    crowd = [instance(f"i{number}", p=spaces) for number in range(1000)]
    assert len(told(judged(pack("p", *[READ] * 64), *crowd))) == 41
    wide = [instance(f"i{number}", p=[f"n{number}-{n}" for n in range(64)]) for number in range(1000)]
    assert MANY in said(judged(pack("p", READ), *wide))
    assert told(judged(pack("p", *[{**READ, "verbs": []}] * 64), *wide)) == []


def test_the_same_rights_over_and_over_are_refused_when_they_are_too_many_to_look_at() -> None:
    again = {**READ, "resources": [f"r{n}" for n in range(16)], "verbs": [f"v{n}" for n in range(16)]}
    packs = [pack(f"p{number}", *[again] * 64) for number in range(5)]
    acts = instance("i", **{f"p{number}": [] for number in range(5)})
    assert f"names rights more than {MAX_NAMED} times" in said(judged(acts, *packs))


def test_what_a_pack_comes_by_through_other_skills_is_looked_at_once_for_each_place() -> None:
    other = pack("other", {**READ, "verbs": [f"v{n}" for n in range(256)]})
    crowd = [instance(f"i{number}", p=[], other=[]) for number in range(1000)]
    assert len(told(judged(pack("p", READ), other, *crowd))) == 257


def test_instances_that_name_too_many_places_of_other_skills_refuse_the_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_PLACES", 100)
    crowd = [instance(f"i{number}", p=[], other=["a", "b"]) for number in range(50)]
    assert told(judged(pack("p", READ), pack("other", READ), *crowd))
    crowd.append(instance("last", p=[], other=["a"]))
    assert "spec.sidecar.rbac: instances that name it" in said(judged(pack("p", READ), pack("other", READ), *crowd))


# -- what is held against each other, each against all --------------------------------------------------------


def test_keys_are_found_as_a_plain_search_finds_them() -> None:
    for parts in itertools.product(("${", "}", "a", "$", "{"), repeat=6):
        text = "".join(parts)
        assert keys_in(text) == re.findall(r"\$\{([^}]*)\}", text)


def test_a_text_of_beginnings_of_keys_is_read_once() -> None:
    assert keys_in("${a}" + "${" * (8 << 20)) == ["a"]  # searched from each of them it would take days


@given(st.lists(st.tuples(ADDRESSES, PORTS), max_size=12), ADDRESSES, PORTS)
def test_a_place_is_allowed_if_it_lies_in_one_that_is(allowed: list[tuple[str, int]], wanted: str, port: int) -> None:
    network = ip_network(wanted)
    inside = any(
        at == port and other.version == network.version and network.subnet_of(other)  # type: ignore[arg-type]
        for other, at in ((ip_network(one), at) for one, at in allowed)
    )
    assert Reach(f"{one}:{at}" for one, at in allowed).has(egress.Wanted(f"{wanted}:{port}")) == inside


def test_a_list_of_a_policy_is_read_once_whatever_the_skills_must_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    read_words = []
    monkeypatch.setattr(egress, "place", lambda word: read_words.append(word) or place(word))
    names = [f"p{number}" for number in range(8)]
    packs = [pack(name, egress=[f"10.{name[1:]}.{n}.0/24:443" for n in range(256)]) for name in names]
    wide = thing("SympoziumPolicy", "wide", {"template": "Permissive", "egress": {"allow": ["10.0.0.0/8:443"] * 256}})
    acts = instance("i", **{name: [] for name in names})
    acts["spec"]["policy"] = "wide"
    run = thing("AgentRun", "r", {"instanceRef": "i", "input": "x"})
    assert judged(run, acts, wide, *packs).refused is None
    assert len(read_words) == 8 * 256 + 1


def test_more_policies_than_calls_are_held_against_refuse_the_run() -> None:
    floors = [thing("SympoziumPolicy", f"f{number}", {"template": "Permissive"}) for number in range(MAX_POLICIES)]
    for one in floors:
        one["metadata"]["labels"] = {"sympozium.ai/policy-floor": "true"}
    acts, run = instance("i", p=[]), thing("AgentRun", "r", {"instanceRef": "i", "input": "x"})
    assert judged(run, acts, pack("p"), *floors[1:]).refused is None
    assert "AgentRun team/r: spec.policy: more than 64 policies" in said(judged(run, acts, pack("p"), *floors))


# -- patterns of tools ----------------------------------------------------------------------------------------


def tools(count: int, pattern: str) -> list[dict[str, Any]]:
    """With so many patterns each, made from this one."""
    fields = {f"f{number}": {"pattern": pattern.replace("N", str(number))} for number in range(count)}
    parameters = {"type": "object", "properties": fields, "patternProperties": {"^x": {}}}
    return [{"name": "one", "argv": ["x"], "parameters": parameters}]


def test_a_pack_has_few_patterns_and_none_that_is_large() -> None:
    assert judged(pack("p", tools=tools(63, "^[a-z]{1,63}N$"))).refused is None
    assert "spec.sidecar.tools: have more than 64 patterns" in said(judged(pack("p", tools=tools(64, "^aN$"))))
    large = said(judged(pack("p", tools=tools(1, r"\p{L}{90}"))))
    assert "spec.sidecar.tools.0.parameters: is no JSON Schema" in large
    assert "of at most 128 KiB compiled" in large
    assert "a pattern has at most 1024 characters" in said(judged(pack("p", tools=tools(1, "a|" * 600))))
    assert judged(pack("p", tools=tools(1, "^(?!x)(a)b$"))).refused is None


def test_a_schema_is_compiled_once_however_many_runs_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    monkeypatch.setattr(schemas, "_fault", lambda schema: compiled.append(schema) or "")
    for _ in range(3):
        assert judged(pack("p", tools=tools(3, "^onceN$"))).refused is None
    assert len(compiled) == 1


class Found:
    """A lookup that counts what it was asked for."""

    def __init__(self, *objects: Mapping[str, Any]) -> None:
        self.objects = objects
        self.sought: list[tuple[str, str]] = []

    async def get(self, resource: Resource, name: str, namespace: str) -> Any:
        self.sought.append((namespace, name))
        head = {"name": name, "namespace": namespace}
        found = [one for one in self.objects if one["kind"] == resource.kind and one["metadata"] == head]
        return found[0] if found else None

    async def all(self, resource: Resource, namespace: str, wanted: Callable[[Any], bool] = bool) -> list[Any]:
        return [one for one in self.objects if one["kind"] == resource.kind and wanted(one)]


def test_a_pack_that_many_instances_name_is_looked_for_once() -> None:
    other = pack("other", READ, tools=tools(30, "^aN$" + "x" * 900))
    crowd = [instance(f"i{number}", p=[], other=[]) for number in range(300)]
    lookup, value = Found(other, *crowd), pack("p", READ)
    known = asyncio.run(known_of(read(value), lookup, system=SYSTEM))
    assert len(known.instances) == 300
    assert sorted(lookup.sought) == [(SYSTEM, "p"), ("team", "other"), ("team", "p")]
    assert told(judge(read(value), origin_of(value), known, system=SYSTEM)) == ["get pods in the namespace team"]
