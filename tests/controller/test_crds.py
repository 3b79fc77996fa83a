"""The definitions as documents: what every schema in them keeps to, and that the files are those of the models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, strategies as st

from sympozium_controller.crds import documents
from sympozium_controller.crds.__main__ import differences, write
from sympozium_controller.crds.kinds import KINDS
from sympozium_controller.objects.run import RunObjectSpec
from sympozium_controller.objects.units import (
    DURATION_PATTERN,
    QUANTITY_PATTERN,
    duration_text,
    parse_duration,
    parse_quantity,
)

COMMITTED = Path(__file__).parents[2] / "controller" / "crds"
DEFINITIONS = {one["spec"]["names"]["kind"]: one["spec"] for one in documents()}
Schema = dict[str, Any]
LEAST = {
    "instanceRef": "a",
    "input": "b",
    "template": "Default",
    "personas": [{"name": "a"}],
    "transport": "stdio",
    "command": ["a"],
}
"""What some kinds cannot be without."""


def root(kind: str) -> Schema:
    return dict(DEFINITIONS[kind]["versions"][0]["schema"]["openAPIV3Schema"])


def walk(schema: Schema, where: str) -> Iterator[tuple[str, Schema]]:
    """Every schema in this one, but for ObjectMeta's, of which the API server takes the name alone."""
    yield where, schema
    for name, below in schema.get("properties", {}).items():
        if (where, name) != ("", ".metadata") and name != "metadata":
            yield from walk(below, f"{where}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from walk(schema[key], f"{where}[]")


def _typed(schema: Schema) -> bool:
    free = schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-int-or-string")
    known = "type" in schema or bool(free)
    return known and ("anyOf" in schema) == ("x-kubernetes-int-or-string" in schema)


def _bounded(schema: Schema) -> bool:
    match schema.get("type"):
        case "string":
            return "maxLength" in schema or "enum" in schema
        case "array":
            return "maxItems" in schema
        case "object" if "additionalProperties" in schema or "x-kubernetes-preserve-unknown-fields" in schema:
            return "maxProperties" in schema
        case None if "x-kubernetes-int-or-string" in schema:
            return "maxLength" in schema
    return True


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_every_part_has_one_type_or_says_why_not(kind: str) -> None:
    assert [where for where, schema in walk(root(kind), "") if not _typed(schema)] == []


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_nothing_stands_in_a_schema_that_the_api_server_refuses(kind: str) -> None:
    refused = {"$ref", "$defs", "oneOf", "allOf", "not", "const", "title"}
    assert [where for where, schema in walk(root(kind), "") if refused & schema.keys()] == []
    assert [where for where, schema in walk(root(kind), "") if schema.get("additionalProperties") is False] == []


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_every_string_list_and_mapping_has_a_bound(kind: str) -> None:
    assert [where for where, schema in walk(root(kind), "") if not _bounded(schema)] == []


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_every_field_is_described(kind: str) -> None:
    found = [
        f"{where}.{name}"
        for where, schema in walk(root(kind), "")
        for name, field in schema.get("properties", {}).items()
        if "description" not in field and name != "metadata" and not where.endswith(".parameters")
    ]
    assert found == []


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_no_default_stands_within_a_list(kind: str) -> None:
    assert [where for where, schema in walk(root(kind), "") if "[]" in where and "default" in schema] == []


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS if kind.name != "AgentRun"])
def test_what_the_api_server_fills_in_is_what_the_models_mean(kind: str) -> None:
    spec = next(one.model for one in KINDS if one.name == kind).model_fields["spec"].annotation
    assert spec is not None
    fields = root(kind)["properties"]["spec"]["properties"]
    least = {name: LEAST[name] for name, info in fields.items() if name in LEAST}
    filled = {name: field["default"] for name, field in fields.items() if "default" in field}
    if kind == "SympoziumInstance":
        assert filled.pop("policy") == "default"  # the one that an absent policy means

    def read(value: Schema) -> object:
        return spec.model_validate_json(json.dumps(value), by_alias=True, by_name=False)

    assert read(least | filled) == read(least)


def test_every_field_of_a_run_but_cancel_is_kept_from_changing() -> None:
    rules = root("AgentRun")["properties"]["spec"]["x-kubernetes-validations"]
    guarded = {rule["fieldPath"].removeprefix(".") for rule in rules if "oldSelf" in rule["rule"]}
    assert guarded == {info.alias for info in RunObjectSpec.model_fields.values()}


def test_every_kind_has_a_status_with_generation_and_conditions() -> None:
    for kind, spec in DEFINITIONS.items():
        status = root(kind)["properties"]["status"]["properties"]
        assert spec["versions"][0]["subresources"] == {"status": {}}
        assert {"observedGeneration", "conditions"} <= status.keys()
        assert status["conditions"]["x-kubernetes-list-map-keys"] == ["type"]


def test_the_committed_definitions_are_those_of_the_models() -> None:
    assert differences(COMMITTED) == []


def test_a_definition_that_is_out_of_date_missing_or_strange_is_told(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "agentruns.yaml").write_text("spec: {}")
    (tmp_path / "skillpacks.yaml").unlink()
    (tmp_path / "others.yaml").touch()
    assert differences(tmp_path) == [
        f"{tmp_path}/others.yaml: is of no kind",
        f"{tmp_path}/agentruns.yaml: differs from the models",
        f"{tmp_path}/skillpacks.yaml: is missing",
    ]
    write(tmp_path)
    assert differences(tmp_path) == []


def test_the_files_hold_the_documents() -> None:
    found = [yaml.safe_load((COMMITTED / f"{kind.plural}.yaml").read_text()) for kind in KINDS]
    assert found == list(documents())


@given(st.one_of(st.integers(0, 10**6).map(float), st.floats(0.001, 1e6).map(lambda seconds: round(seconds, 3))))
def test_a_duration_that_is_written_is_read_as_the_same(seconds: float) -> None:
    assert parse_duration(duration_text(seconds)) == pytest.approx(seconds, rel=1e-9)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (600, "10m"), (86400, "24h"), (90, "90s"), (0.5, "0.5s")])
def test_durations_are_written_as_a_person_would(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def _reads(read: Any, text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


@given(st.from_regex(r"\A[0-9.hmsuµn+]{0,8}\Z"))
def test_a_duration_is_one_in_a_file_and_in_a_cluster_or_in_neither(text: str) -> None:
    assert _reads(parse_duration, text) == (re.fullmatch(DURATION_PATTERN, text) is not None)


@given(st.from_regex(r"\A[0-9.eE+kKMGiTm-]{0,8}\Z"))
def test_a_quantity_is_one_in_a_file_and_in_a_cluster_or_in_neither(text: str) -> None:
    assert _reads(parse_quantity, text) == (re.fullmatch(QUANTITY_PATTERN, text) is not None)


def test_a_policy_says_that_images_of_the_installation_are_not_its_business() -> None:
    """What ``kubectl explain sympoziumpolicies.spec.images.registries`` shows."""
    schema = DEFINITIONS["SympoziumPolicy"]["versions"][0]["schema"]["openAPIV3Schema"]
    told = schema["properties"]["spec"]["properties"]["images"]["properties"]["registries"]["description"]
    assert "A bare name" in told
    assert "always allowed" in told
