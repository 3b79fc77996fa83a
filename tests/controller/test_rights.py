"""The rights of a run: what they are made of, where they come from, how they are taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sympozium_controller.documents import parse
from sympozium_controller.errors import Origin, Refused
from sympozium_controller.flags import Flags
from sympozium_controller.grants import Grant, RbacRule
from sympozium_controller.lifecycle.rights import (
    GRANTED,
    MAX_WORDS,
    SWEPT,
    is_of,
    orphans,
    rights,
    taken_back,
    why_refused,
)
from sympozium_controller.objects import SkillPack
from sympozium_controller.outfit import Outfit, outfit
from sympozium_controller.packs import parse_pack
from sympozium_protocol.exits import Reason
from sympozium_protocol.kube.errors import Busy, Forbidden, NotFound
from sympozium_protocol.kube.resources import KNOWN, ROLES

OWNER = {"apiVersion": "sympozium.ai/v1alpha1", "kind": "AgentRun", "name": "look", "uid": "u-1"}
PODS = RbacRule(("",), ("pods", "pods/log"), ("get", "list"))
NODES = RbacRule(("",), ("nodes",), ("get",))
JOBS = RbacRule(("batch",), ("jobs",), ("get",), ("nightly",))
PACK = "sidecar: {commands: [kubectl], rbac: [{apiGroups: [''], resources: [pods], verbs: [get]}]%s}"
INSTANCE = """
apiVersion: sympozium.ai/v1alpha1
kind: SympoziumInstance
metadata: {name: watch, namespace: ops}
spec: {provider: {name: scripted}, skills: %s, skillConfig: %s}
"""


def grant(*rules: RbacRule, at: tuple[str, ...] = (), shipped: bool = True, skill: str = "k8s-ops") -> Grant:
    return Grant(skill, rules, at, Origin("pack"), shipped)


def made(*grants: Grant) -> tuple[dict[str, Any], ...]:
    return rights("look-1", "u-1", "ops", OWNER, grants)


def names(objects: tuple[dict[str, Any], ...]) -> list[tuple[str, str]]:
    return [(one["kind"], one["metadata"].get("namespace", "")) for one in objects]


def test_a_run_without_grants_gets_no_account() -> None:
    assert made() == ()


def test_the_account_comes_first_and_every_namespace_has_a_role_and_its_binding() -> None:
    found = made(grant(PODS, at=("ops", "payments")), grant(NODES))
    assert names(found) == [
        ("ServiceAccount", "ops"),
        ("ClusterRole", ""),
        ("ClusterRoleBinding", ""),
        ("Role", "ops"),
        ("RoleBinding", "ops"),
        ("Role", "payments"),
        ("RoleBinding", "payments"),
    ]
    assert found[0]["automountServiceAccountToken"] is False
    assert all(one["metadata"]["name"] == "look-1" and is_of(one, "u-1") for one in found)


def test_only_what_lies_in_the_runs_own_namespace_is_owned_by_it() -> None:
    found = made(grant(PODS, at=("ops", "payments")), grant(NODES))
    owned = [one for one in found if one["metadata"].get("ownerReferences") == [OWNER]]
    assert {namespace for _, namespace in names(tuple(owned))} == {"ops"}
    assert len(owned) == 3


def test_the_rules_of_all_skills_are_united_per_namespace() -> None:
    found = made(grant(PODS, JOBS, at=("ops",)), grant(PODS, NODES, at=("ops", "payments"), skill="sre"))
    rules = {one["metadata"]["namespace"]: one["rules"] for one in found if one["kind"] == "Role"}
    assert [rule["resources"] for rule in rules["ops"]] == [["pods", "pods/log"], ["jobs"], ["nodes"]]
    assert [rule.get("resourceNames") for rule in rules["ops"]] == [None, ["nightly"], None]
    assert len(rules["payments"]) == 2


def test_a_users_pack_has_no_rights_in_the_whole_cluster() -> None:
    with pytest.raises(Refused, match="clusterRBAC") as refused:
        made(grant(NODES, shipped=False))
    assert refused.value.reason is Reason.InvalidPack


def test_what_is_taken_back_is_what_was_created_and_the_account_goes_last() -> None:
    found = made(grant(PODS, at=("ops", "payments")), grant(NODES))
    account = found[0] | {"metadata": found[0]["metadata"] | {"uid": "a-1"}}
    gone = taken_back(account)
    assert sorted((one.resource.kind, one.namespace) for one in gone) == sorted(names(found))
    assert (gone[-1].resource.kind, gone[-1].uid) == ("ServiceAccount", "a-1")
    assert [one.resource.kind for one in gone[:2]] == ["ClusterRoleBinding", "ClusterRole"]
    assert account["metadata"]["annotations"][GRANTED] == "*,ops,payments"


def test_the_sweeper_takes_only_what_no_living_run_has() -> None:
    found = [one | {"metadata": one["metadata"] | {"uid": "r"}} for one in made(grant(PODS, at=("ops", "payments")))]
    roles = [one for one in found if one["kind"] == "Role"]
    assert orphans(roles, ROLES, {"u-1"}) == ()
    assert [(one.namespace, one.uid) for one in orphans(roles, ROLES, {"u-2"})] == [("ops", "r"), ("payments", "r")]
    assert {KNOWN[one["apiVersion"], one["kind"]] for one in made(grant(PODS, at=("ops",)), grant(NODES))} == set(SWEPT)


def test_an_object_of_the_same_name_that_was_made_for_another_is_a_strangers() -> None:
    role = made(grant(PODS, at=("ops",)))[1]
    assert is_of(role, "u-1")
    assert not is_of(role, "u-2")
    assert not is_of({"metadata": {"name": "look-1"}}, "u-1")


def test_what_the_installation_does_not_grant_is_named() -> None:
    said = (
        'roles.rbac.authorization.k8s.io "look-1" is forbidden: user "c" (groups=["g"]) is attempting to grant RBAC '
        'permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}\n'
        '{APIGroups:["apps"], Resources:["deployments"], ResourceNames:["api"], Verbs:["patch"]}'
    )
    found = why_refused(Forbidden(403, "Forbidden", said), "payments")
    assert found is not None
    assert found[0] is Reason.PolicyUnsatisfiable
    assert "in namespace payments" in found[1]
    assert "get, list secrets; patch deployments.apps named api" in found[1]


def test_a_refusal_of_hundreds_of_words_is_told_in_few() -> None:
    words = " ".join(f'"{"w" * 1000}{number}"' for number in range(256))
    rule = f'{{APIGroups:[{words}], Resources:[{words}], Verbs:["get"]}}'
    said = f"user is attempting to grant RBAC permissions not currently held:\n{rule * 9}"
    found = why_refused(Forbidden(403, "Forbidden", said), "payments")
    assert found is not None
    assert "/251 more" in found[1]
    assert ", and 4 more" in found[1]
    assert len(found[1]) < 64 << 10


def test_rules_times_namespaces_are_counted_before_they_are_multiplied() -> None:
    words = tuple(f"w{number}" for number in range(256))
    rules = [RbacRule(words, words, ("get", str(number))) for number in range(64)]
    with pytest.raises(Refused, match=f"more than {MAX_WORDS} words") as caught:
        made(grant(*rules, at=tuple(f"n{number}" for number in range(64))))
    assert (caught.value.reason, caught.value.field) == (Reason.InvalidPack, "spec.sidecar.rbac")
    assert len(made(grant(*rules, at=("ops", "payments")))) == 5


def test_a_missing_namespace_is_named_and_a_busy_server_is_no_refusal() -> None:
    missing = why_refused(
        NotFound(404, "NotFound", 'namespaces "payments" not found', {"kind": "namespaces"}), "payments"
    )
    assert missing == (Reason.MissingReference, "there is no namespace payments, where a skill is to act")
    assert why_refused(Busy(500, "InternalError", "later"), "payments") is None
    assert why_refused(NotFound(404, "NotFound", "no such role", {"kind": "roles"}), "payments") is None
    other = why_refused(Forbidden(403, "Forbidden", "a policy denies"), "")
    assert other == (Reason.PolicyUnsatisfiable, "a skill's rights in the whole cluster were refused: a policy denies")


def kept(packs: Mapping[str, SkillPack], config: str, *, cluster: str = "", own: str = "") -> Outfit:
    texts = [("i.yaml", INSTANCE % ("[one, shell]", config)), *([("p.yaml", own)] if own else [])]
    shipped = {**packs, **({} if own else {"one": parse_pack("one", PACK % cluster, "Look.\n")})}
    return outfit(parse(texts), shipped, Flags(input="x"))


def test_grants_come_from_the_packs_and_hold_where_the_instance_says(packs: Mapping[str, SkillPack]) -> None:
    rule = RbacRule(("",), ("pods",), ("get",))
    assert [(g.skill, g.rules, g.namespaces) for g in kept(packs, "{}").grants] == [("one", (rule,), ("ops",))]
    named = kept(packs, "{one: {namespaces: [orders, payments]}}").grants
    assert [g.namespaces for g in named] == [("orders", "payments")]
    everywhere = ", clusterRBAC: [{apiGroups: [''], resources: [nodes], verbs: [list]}]"
    assert [g.everywhere for g in kept(packs, "{}", cluster=everywhere).grants] == [False, True]
    assert all(g.shipped for g in kept(packs, "{}", cluster=everywhere).grants)


def test_a_pack_of_the_documents_is_not_taken_for_a_shipped_one(packs: Mapping[str, SkillPack]) -> None:
    own = (
        "apiVersion: sympozium.ai/v1alpha1\nkind: SkillPack\nmetadata: {name: one, namespace: ops}\nspec: {sidecar: "
        "{commands: [kubectl], clusterRBAC: [{apiGroups: [''], resources: [nodes], verbs: [list]}]}}\n"
    )
    grants = kept(packs, "{}", own=own).grants
    assert [g.shipped for g in grants] == [False]
    with pytest.raises(Refused):
        made(*grants)
