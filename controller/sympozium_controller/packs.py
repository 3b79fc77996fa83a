"""Skill packs: the two files of one (pack.yaml, SKILL.md) to a SkillPack and back. Pure.

pack.yaml is a SkillPack's spec with the pack's name, without the instructions; those are SKILL.md.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from pydantic import ValidationError

from sympozium_controller.errors import InvalidPack, fault_of
from sympozium_controller.objects import DeclaredTool, SkillPack
from sympozium_controller.schemas import MAX_PATTERNS, fault_of_schema, pattern_count
from sympozium_controller.yamltext import BadYaml, documents
from sympozium_protocol.ids import digest_of_files
from sympozium_protocol.policy import EXECUTE

PACK_FILE: Final = "pack.yaml"
SKILL_FILE: Final = "SKILL.md"

_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""``{name}`` in a declared tool's argv or stdin stands for an argument."""
_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def parse_pack(name: str, pack_yaml: str | bytes, skill_md: str, *, file: str = PACK_FILE) -> SkillPack:
    """The pack in these two texts. ``name`` is its directory's. Raises InvalidPack naming ``file``."""
    value = _one_document(pack_yaml, file)
    stated = value.pop("name", name)
    if stated != name:
        raise InvalidPack(file, "name", f"must be {name}, as its directory is")
    if "instructions" in value:
        raise InvalidPack(file, "instructions", f"belongs into {SKILL_FILE}")
    whole = {"kind": "SkillPack", "metadata": {"name": name}, "spec": {**value, "instructions": skill_md}}
    try:
        pack = SkillPack.model_validate_json(json.dumps(whole), by_alias=True, by_name=False)
    except ValidationError as error:
        where, why = fault_of(error)
        raise InvalidPack(file, where.removeprefix("spec."), why) from None
    check_pack(pack, file)
    return pack


def _one_document(text: str | bytes, file: str) -> dict[str, Any]:
    try:
        found = [value for _, value in documents(text)]
    except BadYaml as fault:
        raise InvalidPack(file, fault.field, fault.why) from None
    if len(found) != 1 or not isinstance(found[0], dict):
        raise InvalidPack(file, "", "must hold one document, a mapping")
    return found[0]


def check_pack(pack: SkillPack, file: str, prefix: str = "") -> None:
    """What the fields alone do not say: schemas are schemas, names are distinct. Raises InvalidPack."""
    sidecar = pack.spec.sidecar
    if sidecar is None:
        return
    if sidecar.commands is None and not sidecar.tools:
        raise InvalidPack(file, f"{prefix}sidecar", "needs commands ([] = any) or tools")
    if sum(pattern_count(tool.parameters) for tool in sidecar.tools) > MAX_PATTERNS:
        why = f"have more than {MAX_PATTERNS} patterns in their parameters"
        raise InvalidPack(file, f"{prefix}sidecar.tools", why)
    seen = set() if sidecar.commands is None else {EXECUTE}
    for number, tool in enumerate(sidecar.tools):
        where = f"{prefix}sidecar.tools.{number}"
        if tool.name in seen:
            raise InvalidPack(file, f"{where}.name", f"there are two tools {tool.name}")
        seen.add(tool.name)
        _check_tool(tool, file, where)


def _check_tool(tool: DeclaredTool, file: str, where: str) -> None:
    if not tool.argv[0] or _PLACEHOLDER.search(tool.argv[0]):
        raise InvalidPack(file, f"{where}.argv.0", "must name a program, which no argument may choose")
    if tool.parameters.get("type") != "object":
        raise InvalidPack(file, f"{where}.parameters.type", "must be object")
    if why := fault_of_schema(tool.parameters):
        raise InvalidPack(file, f"{where}.parameters", f"is no JSON Schema: {why}")
    texts = {f"argv.{n}": text for n, text in enumerate(tool.argv)} | {"stdin": tool.stdin}
    for field, text in texts.items():
        for name in _PLACEHOLDER.findall(text):
            if name not in tool.parameters.get("properties", {}):
                raise InvalidPack(file, f"{where}.{field}", f"{{{name}}} is none of the tool's parameters")


def pack_files(pack: SkillPack) -> tuple[tuple[str, str], ...]:
    """The files that its sidecar reads, as (name, text): JSON, which is YAML, says exactly what was read."""
    spec = pack.spec.model_dump(mode="json", by_alias=True, exclude={"instructions"}, exclude_unset=True)
    for tool in spec.get("sidecar", {}).get("tools", ()) if spec.get("sidecar") else ():
        if "timeout" in tool:
            tool["timeout"] = f"{tool['timeout']:f}s"
    if spec.get("sidecar"):
        spec["sidecar"].pop("resources", None)  # the pod's, not the sidecar's
    text = json.dumps({"name": pack.name, **spec}, indent=2, ensure_ascii=False)
    readable = _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return (PACK_FILE, readable + "\n"), (SKILL_FILE, pack.spec.instructions)


def pack_digest(pack: SkillPack) -> str:
    """Names the pack as it was resolved."""
    return digest_of_files((name, text.encode()) for name, text in pack_files(pack))
