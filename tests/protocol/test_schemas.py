"""The committed schemas are those of the models, and --check says which file is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest

from sympozium_protocol import schemas

COMMITTED = Path(__file__).parents[2] / "protocol" / "schemas" / "v1"


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sympozium_protocol.schemas", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_committed_schemas_are_up_to_date() -> None:
    assert schemas.differences(COMMITTED) == []


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert command("--write", tmp_path / name).returncode == 0
    assert {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()} == {
        p.name: p.read_bytes() for p in (tmp_path / "b").iterdir()
    }


@pytest.mark.parametrize("change", ["edited", "removed", "added"])
def test_check_names_the_file_that_differs(tmp_path: Path, change: str) -> None:
    schemas.write(tmp_path)
    path = tmp_path / ("Letter.json" if change == "added" else "Call.json")
    if change == "removed":
        path.unlink()
    else:
        path.write_text("{}\n")
    done = command("--check", tmp_path)
    assert done.returncode == 1
    assert path.name in done.stderr


def test_check_is_silent_when_nothing_differs(tmp_path: Path) -> None:
    schemas.write(tmp_path)
    done = command("--check", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("kind", schemas.schemas())
def test_a_schema_is_valid_whole_in_itself_and_demands_its_kind(kind: str) -> None:
    schema = schemas.schemas()[kind]
    jsonschema_rs.Draft202012Validator(schema)
    assert "://" not in json.dumps(schema).replace("https://json-schema.org/draft/2020-12/schema", "")
    documents = schema["$defs"].values() if kind == "Message" else [schema]
    for document in documents:
        if kind != "Script" and "kind" in document["properties"]:
            assert "kind" in document["required"]
