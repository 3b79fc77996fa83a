"""A pack in a directory, read and looked at from every side."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from sympozium_cli.packs import read_file, shipped
from sympozium_cli.skills_lint.fields import check_fields
from sympozium_cli.skills_lint.findings import Finding, Findings
from sympozium_cli.skills_lint.lines import lines_of
from sympozium_cli.skills_lint.rights import check_rights
from sympozium_cli.skills_lint.text import check_text
from sympozium_cli.skills_lint.tools import check_tools
from sympozium_controller.errors import InvalidPack
from sympozium_controller.objects.base import LABEL_PATTERN
from sympozium_controller.packs import PACK_FILE, SKILL_FILE, parse_pack
from sympozium_controller.yamltext import BadYaml, documents


def lint_directory(directory: Path) -> list[Finding]:
    """Everything that is found, in the order of the two files."""
    findings, about = Findings(str(directory / PACK_FILE)), Findings(str(directory / SKILL_FILE))
    if not directory.is_dir():
        whole = Findings(str(directory))
        whole.error("", "is no directory", f"a pack is a directory with {PACK_FILE} and {SKILL_FILE}")
        return whole.found
    text, instructions = _read(directory / PACK_FILE, findings), _read(directory / SKILL_FILE, about)
    value = _value(text, findings) if text is not None else None
    if value is not None and text is not None:
        findings.lines = lines_of(text)
        _check(value, instructions or "", directory.resolve().name, findings, about, told=instructions is not None)
    errors = [finding for finding in (*findings.found, *about.found) if finding.level == "error"]
    if text is not None and not errors:
        _check_as_a_run_does(directory, text, instructions or "", findings)
    return findings.sorted() + about.sorted()


def _read(file: Path, findings: Findings) -> str | None:
    try:
        return read_file(file).decode()
    except UnicodeDecodeError as error:
        findings.error("", "is not UTF-8", line=error.object.count(b"\n", 0, error.start) + 1)
    except InvalidPack as fault:
        findings.error("", fault.why, "a pack needs this file")
    return None


def _value(text: str, findings: Findings) -> dict[str, Any] | None:
    try:
        found = [value for _, value in documents(text)]
    except BadYaml as fault:
        findings.error(fault.field, fault.why)
        return None
    if len(found) == 1 and isinstance(found[0], dict):
        return found[0]
    findings.error("", "must hold one document, a mapping", "begin with name, category and description")
    return None


def _check(
    value: dict[str, Any], instructions: str, name: str, findings: Findings, about: Findings, *, told: bool
) -> None:
    if "instructions" in value:
        findings.error("instructions", f"belong into {SKILL_FILE}")
    if value.get("name", name) != name:
        findings.error("name", f"must be {name}, as its directory is")
    elif not re.fullmatch(LABEL_PATTERN, name):
        findings.error("name", f"{name} is no name", "lower case letters, digits and -, at most 63")
    spec = check_fields(value, findings)
    check_tools(value, {tool: pack for tool, pack in _shipped_tools() if pack != name}, findings)
    check_rights(spec, instructions, findings)
    if told:
        check_text(instructions, spec, about)


@cache
def _shipped_tools() -> tuple[tuple[str, str], ...]:
    """The tools of the packs that are shipped, and whose each is."""
    sidecars = ((name, pack.spec.sidecar) for name, pack in shipped().items())
    return tuple((tool.name, name) for name, sidecar in sidecars if sidecar for tool in sidecar.tools)


def _check_as_a_run_does(directory: Path, text: str, instructions: str, findings: Findings) -> None:
    """What a run would refuse is an error, whether or not a check above knows it."""
    try:
        parse_pack(directory.resolve().name, text, instructions, file=findings.file)
    except InvalidPack as fault:
        findings.error(fault.field, fault.why)
