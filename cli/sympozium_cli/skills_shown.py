"""Skill packs as a person reads them: the list, one of them whole, and what is wrong with one."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sympozium_cli.packs import is_directory, read_own, shipped
from sympozium_cli.terminal import Terminal, one_line, visible
from sympozium_protocol.exits import Ended, Reason

if TYPE_CHECKING:
    from sympozium_cli.skills_lint import Finding
    from sympozium_controller.objects import DeclaredTool, SkillPack

NARROW: Final = 80
"""Columns of a list that nobody's terminal bounds."""
_EFFECT_COLOUR: Final = {"read": "green", "idempotent": "cyan", "write": "yellow"}


def print_list(output: str) -> None:
    """``sympozium skills list`` on standard output."""
    packs = shipped()
    if output == "json":
        for pack in packs.values():
            sys.stdout.write(json.dumps(_told(pack), ensure_ascii=sys.stdout.isatty()) + "\n")
        return
    for line in table(packs, shutil.get_terminal_size((NARROW, 0)).columns):
        sys.stdout.write(line + "\n")


def _told(pack: SkillPack) -> dict[str, Any]:
    sidecar = pack.spec.sidecar
    return {
        "name": pack.name,
        "category": pack.spec.category,
        "description": pack.spec.description,
        "commands": list(sidecar.commands) if sidecar and sidecar.commands is not None else None,
        "tools": {tool.name: tool.effect for tool in sidecar.tools} if sidecar else {},
    }


def table(packs: Mapping[str, SkillPack], width: int) -> Iterator[str]:
    """Name, category, programs, tools; below each, what it is for."""
    rows = [("NAME", "CATEGORY", "PROGRAMS", "TOOLS")]
    rows += [(pack.name, pack.spec.category, programs(pack), tools(pack)) for pack in packs.values()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    about = ["", *(pack.spec.description for pack in packs.values())]
    for row, said in zip(rows, about, strict=True):
        cells = [visible(cell).ljust(size) for cell, size in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[3]]).rstrip()
        if said:
            yield f"  {one_line(said, max(width - 2, 20))}"


def programs(pack: SkillPack) -> str:
    """What execute_command may start."""
    sidecar = pack.spec.sidecar
    if sidecar is None or sidecar.commands is None:
        return "-"
    return ", ".join(sidecar.commands) or "any"


def tools(pack: SkillPack) -> str:
    """How many declared tools, and how many of them need approval by default."""
    declared = pack.spec.sidecar.tools if pack.spec.sidecar else ()
    writing = sum(tool.effect == "write" for tool in declared)
    if not declared:
        return "-"
    return f"{len(declared)}, {writing} of them write" if writing else f"{len(declared)}, none writes"


def find(name: str) -> SkillPack:
    """A shipped pack by name, or that of a directory. Raises Ended."""
    if is_directory(name):
        return read_own(Path(name))
    packs = shipped()
    if name not in packs:
        why = f"there is no pack {name}; there are {', '.join(packs)}. A directory is told with a slash, as ./{name}"
        raise Ended(Reason.MissingReference, f"command line: NAME: {why}")
    return packs[name]


def show(name: str) -> None:
    """``sympozium skills show`` on standard output. Raises Ended."""
    pack = find(name)
    terminal = Terminal(sys.stdout)
    terminal.line(f"{terminal.style(visible(pack.name), 'bold')}  {visible(pack.spec.category)}")
    terminal.line(visible(pack.spec.description))
    for field, value in _facts(pack):
        terminal.line(f"{field + ':':<13}{visible(value)}")
    for tool in pack.spec.sidecar.tools if pack.spec.sidecar else ():
        terminal.line()
        _show_tool(tool, terminal)
    terminal.line()
    terminal.line(visible(pack.spec.instructions.rstrip("\n")))


def _facts(pack: SkillPack) -> Iterator[tuple[str, str]]:
    if pack.spec.params:
        yield "parameters", ", ".join(f"{name}={value!r}" for name, value in pack.spec.params.items())
    sidecar = pack.spec.sidecar
    if sidecar is None:
        yield "sidecar", "none: instructions only"
        return
    yield "image", sidecar.image or "skill"
    yield "programs", programs(pack) if sidecar.commands is not None else "none on a free line"
    if sidecar.secret_ref:
        yield "secret", sidecar.secret_ref
    for field, rules in (("rights", sidecar.rbac), ("cluster", sidecar.cluster_rbac)):
        for rule in rules:
            groups = ", ".join(group or "core" for group in rule.api_groups)
            yield field, f"{', '.join(rule.verbs)}: {', '.join(rule.resources)} ({groups})"
    if sidecar.egress:
        yield "egress", ", ".join(sidecar.egress)


def _show_tool(tool: DeclaredTool, terminal: Terminal) -> None:
    effect = terminal.style(tool.effect, _EFFECT_COLOUR[tool.effect])
    terminal.line(f"{terminal.style(tool.name, 'bold')}  {effect}  {tool.timeout:g} s")
    terminal.line(f"  {visible(tool.description)}")
    required = tool.parameters.get("required", ())
    for name, schema in tool.parameters.get("properties", {}).items():
        must = "" if name in required else ", optional"
        kind = schema.get("type", "any") if isinstance(schema, dict) else "any"
        about = schema.get("description", "") if isinstance(schema, dict) else ""
        terminal.line(visible(f"    {name} ({kind}{must}){': ' + about if about else ''}"))


def lint(directory: str, output: str) -> int:
    """``sympozium skills lint`` on standard output; the exit code."""
    from sympozium_cli.skills_lint import lint_directory

    found = lint_directory(Path(directory))
    if output == "json":
        for finding in found:
            sys.stdout.write(json.dumps(asdict(finding), ensure_ascii=sys.stdout.isatty()) + "\n")
    else:
        _print_findings(found, directory)
    wrong = any(finding.level == "error" for finding in found)
    return int(Reason.InvalidPack) if wrong else 0


def _print_findings(found: list[Finding], directory: str) -> None:
    terminal = Terminal(sys.stdout)
    for finding in found:
        where = f"{finding.file}:{finding.line}" if finding.line else finding.file
        level = terminal.style(finding.level, "red" if finding.level == "error" else "yellow")
        what = f"{finding.field}: {finding.what}" if finding.field else finding.what
        terminal.line(f"{visible(where)}: {level}: {visible(what)}")
        if finding.mend:
            terminal.line(f"    {visible(finding.mend)}")
    errors = sum(finding.level == "error" for finding in found)
    warnings = len(found) - errors
    if not found:
        terminal.line(f"{visible(directory)}: nothing to mend")
    else:
        terminal.line(f"{_count(errors, 'error')}, {_count(warnings, 'warning')}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
