"""The fields of pack.yaml against the model that a run reads them by: every fault, with the name that was meant."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel

from sympozium_cli.skills_lint.findings import Findings, meant
from sympozium_controller.objects import SkillPack
from sympozium_controller.objects.skillpack import DeclaredTool, Rule, Sidecar, SkillPackSpec

_MODELS: Final[tuple[tuple[re.Pattern[str], type[BaseModel]], ...]] = (
    (re.compile(r""), SkillPackSpec),
    (re.compile(r"sidecar"), Sidecar),
    (re.compile(r"sidecar\.tools\.\d+"), DeclaredTool),
    (re.compile(r"sidecar\.(rbac|clusterRBAC)\.\d+"), Rule),
)
_OWN: Final = ("name",)
"""Fields of pack.yaml that a SkillPack has elsewhere."""


def check_fields(value: Mapping[str, Any], findings: Findings) -> SkillPackSpec:
    """The pack without the fields that are wrong, each of which is then among ``findings``."""
    spec = {name: json.loads(json.dumps(field)) for name, field in value.items() if name not in _OWN}
    found, faults = _read(spec)
    for where, kind, message in faults:
        _say(".".join(map(str, where)), kind, message, findings)
    while found is None:
        for where, _, _ in faults:
            _leave_out(spec, where)
        found, faults = _read(spec)
    return found


_Where: TypeAlias = tuple[int | str, ...]


def _read(spec: dict[str, Any]) -> tuple[SkillPackSpec | None, list[tuple[_Where, str, str]]]:
    whole = {"kind": "SkillPack", "metadata": {"name": "pack"}, "spec": spec}
    try:
        return SkillPack.model_validate_json(json.dumps(whole), by_alias=True, by_name=False).spec, []
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        return None, [(fault["loc"][1:], fault["type"], fault["msg"]) for fault in faults]


def _leave_out(spec: dict[str, Any], where: _Where) -> None:
    """Take away what the fault is in: a field of a tool, a tool that needs that field, a field of the sidecar."""
    sidecar = spec.get("sidecar")
    if where[0] != "sidecar" or len(where) == 1 or not isinstance(sidecar, dict):
        spec.pop(str(where[0]), None)
    elif where[1] == "tools" and len(where) > 2:
        _leave_out_of_tools(sidecar["tools"], where[2:])
    else:
        sidecar.pop(where[1], None)


def _leave_out_of_tools(tools: list[Any], where: _Where) -> None:
    number, *rest = where
    tool = tools[int(number)]
    if rest and isinstance(tool, dict) and rest[0] in tool and rest[0] not in ("name", "argv"):
        del tool[rest[0]]
    else:
        tools[int(number)] = _NO_TOOL


_NO_TOOL: Final = {"name": "none", "argv": ["none"]}
"""In the place of one that cannot be read: the numbers of the others stay what they are."""


def _say(where: str, kind: str, message: str, findings: Findings) -> None:
    if kind == "extra_forbidden":
        parent, _, name = where.rpartition(".")
        known = _known(parent)
        findings.error(where, "unknown field", meant(name, known) or f"known are {', '.join(sorted(known))}")
    elif kind == "missing":
        findings.error(where, "missing")
    else:
        findings.error(where, message.removeprefix("Value error, "), _HINTS.get(where.rpartition(".")[2], ""))


_HINTS: Final = {
    "effect": "read: changes nothing; idempotent: twice is as good as once; write: all else",
    "timeout": "a number with a unit, such as 30s or 5m",
    "name": "letters, digits, _ and -, at most 64, not beginning with a digit",
}


def _known(path: str) -> set[str]:
    model = next((model for pattern, model in _MODELS if pattern.fullmatch(path)), None)
    names = {field.alias or to_camel(name) for name, field in model.model_fields.items()} if model else set()
    return (names | set(_OWN)) - {"instructions"} if model is SkillPackSpec else names
