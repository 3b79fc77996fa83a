"""Declared tools: can the model use them, do they what they say, and is what they say of themselves true?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sympozium_cli.skills_lint.arguments import PLACEHOLDER, check_arguments, check_schema
from sympozium_cli.skills_lint.findings import Findings
from sympozium_cli.skills_lint.verbs import SHELLS, changes, only_reads, script_of
from sympozium_controller import memory
from sympozium_controller.objects.skillpack import DeclaredTool
from sympozium_controller.resolve import NATIVE
from sympozium_protocol.policy import EXECUTE

TAKEN: Final = frozenset({EXECUTE, "complete", *(t.name for t in NATIVE), *(t.name for t in memory.TOOLS)})
"""Tools that a run has whatever its skills are."""
SHORT: Final = 20
LONG: Final = 400
"""Characters of a description: every turn of the model carries it."""
SOON: Final = 1.0
LATE: Final = 1800.0
"""Seconds of a timeout that nobody means, or waits for."""


def check_tools(value: Mapping[str, Any], others: Mapping[str, str], findings: Findings) -> None:
    """``value``: what pack.yaml holds; ``others``: tools of other packs, and whose each is."""
    sidecar = value.get("sidecar")
    stated = sidecar.get("tools") if isinstance(sidecar, dict) else None
    if not isinstance(sidecar, dict) or not isinstance(stated, list):
        return
    tools = list(_readable(stated))
    _check_names(stated, others, findings)
    shared = Counter(script for _, tool, _ in tools if (script := script_of(tool.argv)))
    for number, tool, raw in tools:
        where = f"sidecar.tools.{number}"
        _check_words(tool, raw, where, findings)
        _check_argv(tool, sidecar, where, findings)
        check_schema(tool, where, findings)
        if shared[script_of(tool.argv) or ""] <= 1:  # a script of several tools does what its arguments say
            _check_effect(tool, raw, where, findings)


def _readable(stated: Sequence[Any]) -> Iterator[tuple[int, DeclaredTool, Mapping[str, Any]]]:
    """Those whose fields are right: the faults of the others are told already."""
    import json

    from pydantic import ValidationError

    for number, raw in enumerate(stated):
        try:
            tool = DeclaredTool.model_validate_json(json.dumps(raw), by_alias=True, by_name=False)
        except ValidationError:
            continue
        if isinstance(raw, dict) and tool.argv[0]:
            yield number, tool, raw


def _check_names(stated: Sequence[Any], others: Mapping[str, str], findings: Findings) -> None:
    seen: set[str] = set()
    for number, raw in enumerate(stated):
        name = raw.get("name") if isinstance(raw, dict) else None
        where = f"sidecar.tools.{number}.name"
        if not isinstance(name, str):
            continue
        if name == EXECUTE:
            findings.error(where, f"{name} is declared by commands", "write commands: [PROGRAM, …] and no such tool")
        elif name in TAKEN:
            findings.error(where, f"{name} is a tool of the agent itself", "call it otherwise")
        elif name in seen:
            findings.error(where, f"there are two tools {name}", "call one of them otherwise")
        elif name in others:
            why = f"the pack {others[name]} has a tool {name} too: no run can have both packs"
            findings.warning(where, why, "begin the name with what it is about")
        elif not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            findings.warning(where, "models know names in snake_case best", f"call it {name.lower().replace('-', '_')}")
        seen.add(name)


def _check_words(tool: DeclaredTool, raw: Mapping[str, Any], where: str, findings: Findings) -> None:
    size = len(tool.description.strip())
    if not size:
        findings.error(f"{where}.description", "missing: the model knows a tool by it alone", "say what it answers")
    elif size < SHORT:
        findings.warning(f"{where}.description", "is very short", "say what it answers, and when to use it")
    elif size > LONG:
        findings.warning(
            f"{where}.description", f"has {size} characters, in every request", f"say it in {LONG}; more in SKILL.md"
        )
    if not SOON <= tool.timeout <= LATE:
        findings.warning(f"{where}.timeout", f"{tool.timeout:g} s is not what one waits for", "between 1s and 30m")
    if "effect" not in raw:
        findings.warning(where, "effect is not stated, and so write", "state effect: read, idempotent or write")


def _check_argv(tool: DeclaredTool, sidecar: Mapping[str, Any], where: str, findings: Findings) -> None:
    program = tool.argv[0]
    if PLACEHOLDER.search(program):
        findings.error(f"{where}.argv.0", "must name a program, which no argument may choose")
        return
    if "/" in program:
        findings.warning(f"{where}.argv.0", f"{program}: images differ in where programs are", "name it without a path")
    commands = sidecar.get("commands")
    if isinstance(commands, list) and commands and program not in commands and program not in SHELLS:
        findings.warning(
            f"{where}.argv.0", f"{program} is not among commands, by which images are made", "list it there too"
        )
    check_arguments(tool, where, findings)


def _check_effect(tool: DeclaredTool, raw: Mapping[str, Any], where: str, findings: Findings) -> None:
    changing = changes(tool.argv)
    if tool.effect == "read" and changing:
        findings.error(
            f"{where}.effect",
            f"is read, but `{changing}` changes something: policies would let it pass without a question",
            "write effect: write",
        )
    elif tool.effect == "write" and "effect" in raw and not changing and (reading := only_reads(tool.argv)):
        findings.warning(
            f"{where}.effect", f"is write, but `{reading}` only reads: people are asked in vain", "write effect: read"
        )
