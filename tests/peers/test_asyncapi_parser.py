"""The AsyncAPI document as AsyncAPI's own parser finds it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.support import npm

COMMITTED = npm.ROOT / "docs" / "asyncapi.json"
PROGRAM = """
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
console.log(JSON.stringify({
  diagnostics: diagnostics.map(({ code, message, path }) => `${code}: ${message} (${path.join(".")})`),
  channels: document?.channels().all().map((channel) => channel.address()),
  operations: document?.operations().all().map((operation) => operation.id()),
}));
"""


def parsed(path: Path, tmp_path: Path) -> dict[str, Any]:
    """What the parser says of a document, and finds in it."""
    node = npm.program("node")
    assert (npm.MODULES / "@asyncapi/parser").is_dir(), "make peers installs it"
    (tmp_path / "node_modules").symlink_to(npm.MODULES)
    (tmp_path / "parse.mjs").write_text(PROGRAM)
    done = subprocess.run(
        [node, "parse.mjs", path],
        cwd=tmp_path,
        env=npm.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_document_is_valid_whole_and_without_a_remark(tmp_path: Path) -> None:
    found = parsed(COMMITTED, tmp_path)
    written = json.loads(COMMITTED.read_text(encoding="utf-8"))
    assert found["diagnostics"] == []
    assert found["channels"] == [channel["address"] for channel in written["channels"].values()]
    assert found["operations"] == list(written["operations"])


def test_the_parser_would_find_a_name_that_no_parameter_explains(tmp_path: Path) -> None:
    broken = json.loads(COMMITTED.read_text(encoding="utf-8"))
    del broken["channels"]["status"]["parameters"]["run"]
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(broken))
    found = parsed(path, tmp_path)
    assert any("parameter" in each for each in found["diagnostics"]), found["diagnostics"]
