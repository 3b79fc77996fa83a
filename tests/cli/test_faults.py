"""What is wrong in a document: all of it at once, by path, with what stands there and what is expected in words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sympozium_cli import inputs
from sympozium_cli.expectations import PATTERNS, known_fields
from sympozium_controller.documents import KINDS
from sympozium_controller.objects import PersonaPack, SympoziumInstance
from sympozium_protocol.exits import Ended, Reason

HEAD = "apiVersion: sympozium.ai/v1alpha1\nkind: {}\nmetadata: {{name: {}}}\n"
INSTANCE = HEAD.format("SympoziumInstance", "sre")
RUN = HEAD.format("AgentRun", "look")


def said(folder: Path, text: str) -> str:
    """What is told of a file with this text, without the file's folder."""
    file = folder / "agent.yaml"
    file.write_text(text)
    with pytest.raises(Ended) as refused:
        inputs.documents([str(file)])
    assert refused.value.reason is Reason.InvalidDocument
    return refused.value.message.replace(f"{folder}/", "")


def test_every_fault_of_a_document_is_told_at_once(tmp_path: Path) -> None:
    spec = (
        'spec: {provider: {name: scripted, modle: m}, policy: "No Good", maxConcurrentRuns: many, limits: {steps: -1, '
        "timeout: soon}, memory: {retain: perhaps, enabled: maybe}, skills: {a: b}}"
    )
    assert said(tmp_path, INSTANCE.replace("sre", "SRE_x") + spec).splitlines() == [
        "agent.yaml: 9 fields are wrong:",
        '  metadata.name: "SRE_x" must be a name: small letters, digits, - and ., with a letter or digit at both ends',
        "  spec.provider.modle: unknown field; is model meant?",
        "  spec.skills: must be a list",
        '  spec.policy: "No Good" must be a name: small letters, digits, - and ., with a letter or digit at both ends',
        '  spec.memory.enabled: "maybe" must be true or false',
        '  spec.memory.retain: "perhaps" must be Delete or Retain',
        '  spec.maxConcurrentRuns: "many" must be a whole number',
        "  spec.limits.steps: -1 must be 0 or more",
        '  spec.limits.timeout: "soon" must be a duration such as "90s", "10m" or "1h30m"',
    ]


def test_one_fault_is_one_line(tmp_path: Path) -> None:
    assert said(tmp_path, RUN + "spec: {instanceRef: sre, input: 3}") == (
        "agent.yaml: spec.input: 3 must be text; put it in quotes"
    )


def test_faults_of_several_documents_are_told_by_document(tmp_path: Path) -> None:
    texts = (INSTANCE + "spec: {colour: red, provider: {name: 1}}", RUN + "spec: {input: hi}", "kind: SkillPac")
    lines = said(tmp_path, "\n---\n".join(texts)).splitlines()

    assert lines[0] == "agent.yaml: 2 fields are wrong:"
    assert lines[3:5] == ["agent.yaml (document 2):", "  spec.instanceRef: missing"]
    assert lines[5] == "agent.yaml (document 3):"
    assert lines[6].startswith("  kind: unknown kind 'SkillPac'; known are AgentRun")


def test_a_fault_beside_text_that_is_no_yaml_is_told_with_it(tmp_path: Path) -> None:
    lines = said(tmp_path, RUN + "spec: {input: hi}\n---\n{").splitlines()

    assert "  spec.instanceRef: missing" in lines
    assert any("line" in line for line in lines)


def test_a_file_of_nothing_but_faults_is_told_up_to_a_bound(tmp_path: Path) -> None:
    unknown = ", ".join(f"a{number}: 1" for number in range(50))
    lines = said(tmp_path, INSTANCE + f"spec: {{provider: {{name: scripted}}, {unknown}}}").splitlines()

    assert lines[0] == "agent.yaml: 50 fields are wrong:"
    assert len(lines) == 22
    assert lines[-1] == "  and 30 more"


def test_no_value_of_a_secret_is_shown(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: {a: 12345, b: 67890}\n"

    told = said(tmp_path, text)

    assert "stringData.a: must be text" in told
    assert "12345" not in told


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    assert len(said(tmp_path, RUN + f"spec: {{instanceRef: {'A' * 5000}, input: hi}}")) < 300


def test_documents_that_are_at_odds_are_told_as_before(tmp_path: Path) -> None:
    whole = INSTANCE + "spec: {provider: {name: scripted}}\n"

    assert "SympoziumInstance sre is also in" in said(tmp_path, f"{whole}---\n{whole}")


def test_the_command_shows_each_fault_on_its_line(tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(INSTANCE + "spec: {colour: red, provider: {name: 1}}")
    for words in (("run", "hi"), ("instances", "apply"), ("run", "--on", "cluster", "hi")):
        command = [str(Path(sys.executable).parent / "sympozium"), *words, "-f", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == Reason.InvalidDocument
        assert done.stderr.startswith(f"error: {file}: 2 fields are wrong:\n  spec.provider.name: 1 must be text")


def patterns(schema: Any) -> Iterator[str]:
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    if isinstance(schema, dict) and isinstance(schema.get("pattern"), str):
        yield schema["pattern"]
    for one in inner:
        yield from patterns(one)


def test_every_pattern_that_people_can_miss_has_words() -> None:
    assert {found for model in KINDS.values() for found in patterns(model.model_json_schema())} <= set(PATTERNS)


def test_fields_are_known_through_lists_and_mappings() -> None:
    assert {"steps", "timeout", "usd"} <= set(known_fields(SympoziumInstance, ("spec", "limits")))
    assert "systemPrompt" in known_fields(PersonaPack, ("spec", "personas", 3))
    assert "namespaces" in known_fields(SympoziumInstance, ("spec", "skillConfig", "k8s-ops"))
    assert known_fields(SympoziumInstance, ("spec", "no", "such", 1)) == []
