"""The fields of pack.yaml against the model that a run reads them by: every fault, with the name that was meant."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

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


def check_fields(value: Mapping[str, Any], findings: Findings) -> SkillPack | None:
    """The pack, if its fields are what they must be; else every fault is among ``findings``."""
    spec = {name: field for name, field in value.items() if name not in _OWN}
    whole = {"kind": "SkillPack", "metadata": {"name": "pack"}, "spec": spec}
    try:
        return SkillPack.model_validate_json(json.dumps(whole), by_alias=True, by_name=False)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_context=False, include_input=False):
            where = ".".join(str(part) for part in fault["loc"][1:])
            _say(where, fault["type"], fault["msg"], findings)
        return None


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
