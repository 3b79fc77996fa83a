"""What stands beside the definitions: policies of admission, user roles, the shipped SkillPacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sympozium_packs

from sympozium_cli.packs import Packs
from sympozium_controller.crds import builtin_packs, guards, policies, roles
from sympozium_controller.crds.policies import RESERVED_NAMES
from sympozium_controller.objects import SkillPack
from sympozium_controller.packs import check_pack, parse_pack

PACKS = Packs(Path(sympozium_packs.__file__).parent)


def read(document: dict[str, Any]) -> SkillPack:
    return SkillPack.model_validate_json(json.dumps(document), by_alias=True, by_name=False)


@pytest.mark.parametrize("name", PACKS)
def test_a_shipped_pack_is_an_object_that_says_the_same(name: str) -> None:
    (document,) = builtin_packs([PACKS[name]])
    assert document["metadata"]["namespace"] == "sympozium-system"
    assert read(document).spec == PACKS[name].spec
    check_pack(read(document), name, "spec.")


def test_times_and_amounts_of_a_pack_are_written_as_the_schema_wants_them() -> None:
    text = """
    sidecar:
      tools: [{name: t, argv: [a], timeout: 1m30s}]
      resources: {limits: {cpu: 0.5, memory: 64Mi}, requests: {cpu: 250m}}
    """
    pack = parse_pack("a", text, "Do it.")
    (document,) = builtin_packs([pack], "elsewhere")
    assert document["spec"]["sidecar"] == {
        "tools": [{"name": "t", "argv": ["a"], "timeout": "90s"}],
        "resources": {"limits": {"cpu": "500m", "memory": 64 << 20}, "requests": {"cpu": "250m"}},
    }
    assert read(document).spec == pack.spec


def test_every_policy_is_bound_once_and_fails_closed() -> None:
    found = (*policies(), *guards())
    rules = {one["metadata"]["name"]: one["spec"] for one in found if one["kind"] == "ValidatingAdmissionPolicy"}
    bound = [one["spec"]["policyName"] for one in found if one["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert sorted(bound) == sorted(rules)
    assert {spec["failurePolicy"] for spec in rules.values()} == {"Fail"}
    assert all(name.startswith("sympozium-") for name in rules)


def test_the_names_of_a_pods_own_participants_are_no_skills() -> None:
    assert {"model", "memory", "mcp", "agent", "bridge", "console", "run"} == set(RESERVED_NAMES)


def test_no_user_role_writes_a_status_and_only_admin_approves_sends_and_sets_policies() -> None:
    rules = {one["metadata"]["name"]: one["rules"] for one in roles()}
    assert not [one for role in rules.values() for rule in role for one in rule["resources"] if "/" in one]
    verbs = {name: {verb for rule in role for verb in rule["verbs"]} for name, role in rules.items()}
    assert verbs["sympozium-view"] == {"get", "list", "watch"}
    assert not {"approve", "send", "*"} & verbs["sympozium-edit"]
    assert {"approve", "send"} <= verbs["sympozium-admin"]
    edited = {resource for rule in rules["sympozium-edit"] for resource in rule["resources"]}
    assert "agentruns" in edited
    assert "sympoziumpolicies" not in edited
