"""SKILL.md: is it short enough for every request, and does it name what there is?"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, Final

from sympozium_cli.skills_lint.findings import Findings, meant
from sympozium_cli.skills_lint.tools import TAKEN
from sympozium_cli.skills_lint.verbs import CHANGING
from sympozium_controller.objects.skillpack import SkillPackSpec
from sympozium_protocol.policy import EXECUTE

MOST: Final = 32_000
"""Characters beyond which the instructions leave a small model no room to work."""
MANY: Final = 8_000
"""About two thousand tokens, in every request of a run."""
FEW: Final = 200
_CODE: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_TOOL_LIKE: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
_ELSEWHERE: Final = frozenset({"send_channel_message", "schedule_task"})
"""Tools that a run has when something else than a skill gives them."""


def check_text(text: str, spec: SkillPackSpec, findings: Findings) -> None:
    """Of a pack whose fields are right; ``findings`` are of SKILL.md."""
    if not text.strip():
        findings.error("", "is empty", "brief the agent: what to look at first, in which order, what never to do")
        return
    size = len(text)
    if size > MOST:
        findings.error("", f"has {size} characters: every request carries them", f"at most {MOST}")
    elif size > MANY:
        findings.warning("", f"has {size} characters, and every request carries them", f"say it in {MANY}")
    elif size < FEW:
        findings.warning("", "hardly says anything", "brief the agent: what first, in which order, what never to do")
    own = {tool.name: _names_in(tool.parameters) for tool in spec.sidecar.tools} if spec.sidecar else {}
    for line, span in _spans(text):
        _check_span(span, line, spec, own, findings)
    for name in own:
        if not re.search(rf"\b{name}\b", text):
            findings.warning("", f"does not name the tool {name}", "say when to use it")


def _spans(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        for found in _CODE.finditer(line):
            yield number, found[1].strip()


def _check_span(span: str, line: int, spec: SkillPackSpec, own: dict[str, set[str]], findings: Findings) -> None:
    has_commands = spec.sidecar is not None and spec.sidecar.commands is not None
    if span == EXECUTE:
        if spec.sidecar is not None and not has_commands:
            findings.error("", f"names {EXECUTE}, which this pack does not have", "state commands", line=line)
    elif _TOOL_LIKE.fullmatch(span):
        if span not in own and span not in TAKEN | _ELSEWHERE and not any(span in names for names in own.values()):
            _say_unknown(span, line, own, findings)
    elif unlisted := _unlisted(span, spec):
        findings.warning("", f"tells to call {unlisted}, which is not among commands", "add it to commands", line=line)


def _say_unknown(name: str, line: int, own: Collection[str], findings: Findings) -> None:
    close = meant(name, {*own, *TAKEN})
    families = {tool.partition("_")[0] for tool in own}
    if close or name.partition("_")[0] in families:
        findings.error("", f"there is no tool {name}", close or f"there are {', '.join(own)}", line=line)


def _unlisted(span: str, spec: SkillPackSpec) -> str | None:
    """A program that the text tells to call and that cannot be."""
    program, blank, _ = span.partition(" ")
    if not blank or spec.sidecar is None or program not in {*CHANGING, "curl", "jq"}:
        return None
    commands = spec.sidecar.commands
    return None if commands is not None and (not commands or program in commands) else program


def _names_in(schema: Any) -> set[str]:
    """The names of a tool's parameters, which the text may name too."""
    properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
    return set(properties) if isinstance(properties, dict) else set()
