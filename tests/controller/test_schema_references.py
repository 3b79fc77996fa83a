"""A schema is data of whoever wrote it: checking it fetches nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from sympozium_protocol.participant.arguments import fault_of_arguments


def test_a_schema_that_refers_outside_itself_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "schema.json"
    other.write_text('{"type": "string"}')
    with pytest.raises(ValueError, match="outside the schema"):
        fault_of_arguments({}, {"$ref": other.as_uri()})


def test_a_schema_may_refer_to_its_own_parts() -> None:
    schema = {"properties": {"a": {"$ref": "#/$defs/word"}}, "$defs": {"word": {"type": "string"}}}
    assert fault_of_arguments({"a": "x"}, schema) is None
    assert fault_of_arguments({"a": 1}, schema) == 'a: 1 is not of type "string"'
