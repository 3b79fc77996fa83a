"""A skill pack's two files become a SkillPack, or are refused by file and field; and back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from sympozium_controller.errors import InvalidPack
from sympozium_controller.packs import pack_digest, pack_files, parse_pack
from sympozium_protocol.exits import Reason

FULL = """
name: own
category: Operations
description: All of it
params: {queue: a}
sidecar:
  image: skill-own
  commands: [kubectl, jq]
  tools:
    - name: look
      description: Looks
      parameters: {type: object, properties: {path: {type: string}}, required: [path]}
      argv: [ls, "{path}"]
      stdin: ""
      timeout: 1m30s
      effect: read
  rbac: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]
  clusterRBAC: []
  egress: [kubernetes, "10.0.0.0/8:443"]
  secretRef: token
  resources: {limits: {cpu: 500m, memory: 128Mi}}
"""


def test_a_pack_is_its_spec_with_a_name_and_its_instructions() -> None:
    pack = parse_pack("own", FULL, "# How\n")
    assert (pack.name, pack.spec.instructions, pack.spec.category) == ("own", "# How\n", "Operations")
    sidecar = pack.spec.sidecar
    assert sidecar is not None
    assert (sidecar.commands, sidecar.secret_ref, sidecar.tools[0].timeout) == (("kubectl", "jq"), "token", 90.0)
    assert sidecar.resources.limits.memory == 128 << 20


def test_the_files_of_a_pack_read_back_as_the_pack() -> None:
    pack = parse_pack("own", FULL, "Zeilen mit “Zeichen” \N{PILE OF POO}\n")
    (_, text), (_, told) = pack_files(pack)
    again = parse_pack("own", text, told)
    assert again.spec.model_dump(exclude={"sidecar": {"resources"}}) == pack.spec.model_dump(
        exclude={"sidecar": {"resources"}}
    )
    assert pack_digest(again) == pack_digest(pack)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30))
def test_any_description_survives_the_files(text: str) -> None:
    pack = parse_pack("own", json.dumps({"sidecar": {"commands": []}}), "x")
    described = pack.model_copy(update={"spec": pack.spec.model_copy(update={"description": text})})
    described.spec.model_fields_set.add("description")
    assert parse_pack("own", pack_files(described)[0][1], "x").spec.description == text


@pytest.mark.parametrize(
    ("text", "field", "why"),
    [
        ("", "", "one document"),
        ("[a]", "", "one document"),
        ("a: [", "", "line"),
        ("name: other", "name", "must be own"),
        ("instructions: x", "instructions", "SKILL.md"),
        ("sidecars: {}", "sidecars", "unknown field"),
        ("sidecar: {}", "sidecar", "commands"),
        ("sidecar: {command: [ls]}", "sidecar.command", "unknown field"),
        ("sidecar: {commands: [/bin/ls]}", "sidecar.commands.0", "pattern"),
        ("sidecar: {commands: ['']}", "sidecar.commands.0", "pattern"),
        ("sidecar: {tools: [{name: a}]}", "sidecar.tools.0.argv", "missing"),
        ("sidecar: {tools: [{name: a, argv: []}]}", "sidecar.tools.0.argv", "at least 1"),
        ("sidecar: {tools: [{name: a, argv: ['']}]}", "sidecar.tools.0.argv.0", "program"),
        ("sidecar: {tools: [{name: a, argv: ['{x}']}]}", "sidecar.tools.0.argv.0", "no argument may choose"),
        ("sidecar: {tools: [{name: a, argv: [x, '-{y}']}]}", "sidecar.tools.0.argv.1", "none of the tool's parameters"),
        ("sidecar: {tools: [{name: a, argv: [x], stdin: '{y}'}]}", "sidecar.tools.0.stdin", "none of the tool's"),
        ("sidecar: {tools: [{name: 'a b', argv: [x]}]}", "sidecar.tools.0.name", "pattern"),
        ("sidecar: {tools: [{name: a, argv: [x], effect: none}]}", "sidecar.tools.0.effect", "read"),
        ("sidecar: {tools: [{name: a, argv: [x], timeout: 0s}]}", "sidecar.tools.0.timeout", "greater"),
        ("sidecar: {tools: [{name: a, argv: [x]}, {name: a, argv: [y]}]}", "sidecar.tools.1.name", "two tools a"),
        ("sidecar: {commands: [], tools: [{name: execute_command, argv: [x]}]}", "sidecar.tools.0.name", "two tools"),
        ("sidecar: {tools: [{name: a, argv: [x], parameters: {type: array}}]}",
         "sidecar.tools.0.parameters.type", "object"),
        ("sidecar: {tools: [{name: a, argv: [x], parameters: {type: object, required: 1}}]}",
         "sidecar.tools.0.parameters", "no JSON Schema"),
        ("sidecar: {tools: [{name: a, argv: [x], parameters: {type: object, $ref: 'http://h/s'}}]}",
         "sidecar.tools.0.parameters", "no JSON Schema"),
    ],
)  # fmt: skip
def test_a_bad_pack_is_refused_by_file_and_field(text: str, field: str, why: str) -> None:
    with pytest.raises(InvalidPack) as found:
        parse_pack("own", text, "x", file="own/pack.yaml")
    assert (found.value.file, found.value.field, found.value.reason) == ("own/pack.yaml", field, Reason.InvalidPack)
    assert why in found.value.why
