"""The skills of a run: packs by name, their participants, their parameters. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sympozium_controller.choice import Chosen
from sympozium_controller.documents import Objects
from sympozium_controller.errors import InvalidPack, Origin, Refused
from sympozium_controller.flags import ON_COMMAND_LINE
from sympozium_controller.memory import MEMORY
from sympozium_controller.objects import SkillPack
from sympozium_controller.packs import check_pack
from sympozium_controller.providers import MODEL
from sympozium_controller.servers import MCP
from sympozium_protocol.exits import Reason
from sympozium_protocol.layout import RESERVED
from sympozium_protocol.messages.spec import ParticipantSpec, ToolSpec
from sympozium_protocol.policy import EXECUTE

SHELL: Final = "shell"
"""The pack that is there when no other skill brings a sidecar."""
PARAMETER_PREFIX: Final = "PARAM_"
"""Parameters have names of their own in a sidecar's environment: nobody sets PATH by one."""
MAX_PARAMETERS: Final = 32 << 10
"""Characters of one skill's parameters: Linux takes 128 KiB in one variable, and UTF-8 needs up to four bytes each."""


@dataclass(frozen=True)
class Skill:
    """One skill of a run. ``params``: variables of its sidecar, by name. ``shipped``: no user's, in no document."""

    pack: SkillPack
    origin: Origin
    params: dict[str, str] = field(default_factory=dict)
    shipped: bool = False


def skills_of(objects: Objects, packs: Mapping[str, SkillPack], chosen: Chosen) -> tuple[Skill, ...]:
    """Every skill that the instance or a flag names, and ``shell`` if none brings a sidecar. Raises Refused.

    An instance that says ``skills: []`` wants none.
    """
    spec = chosen.instance.spec
    found: dict[str, Skill] = {}
    for number, ref in enumerate(spec.skills):
        name = ref.skill_pack_ref
        by_flag = name in chosen.added_skills
        origin, where = (ON_COMMAND_LINE, "--skill") if by_flag else (chosen.instance_origin, f"spec.skills.{number}")
        if name in found:
            raise Refused(Reason.InvalidDocument, origin, where, f"the skill {name} is named twice")
        pack, pack_origin = _pack(objects, packs, chosen.namespace, name, origin, where)
        params = _params(pack, ref.params, chosen, origin, where)
        found[name] = Skill(pack, pack_origin, params, shipped=pack is packs.get(name))
    _check_config(chosen, found)
    none_wanted = not spec.skills and "skills" in spec.model_fields_set
    if not none_wanted and not any(skill.pack.spec.sidecar for skill in found.values()):
        pack, pack_origin = _pack(objects, packs, chosen.namespace, SHELL, ON_COMMAND_LINE, "--skill")
        found[SHELL] = Skill(pack, pack_origin, shipped=pack is packs.get(SHELL))
    return tuple(found.values())


def _pack(
    objects: Objects, packs: Mapping[str, SkillPack], namespace: str, name: str, origin: Origin, where: str
) -> tuple[SkillPack, Origin]:
    if name in RESERVED or name in (MODEL, MEMORY, MCP):
        raise Refused(Reason.InvalidPack, origin, where, f"no skill may be named {name}: the pod has its own")
    own = objects.get(SkillPack, name, namespace)
    if own is not None:
        pack_origin = objects.origin(own)
        check_pack(own, str(pack_origin), "spec.")
        return own, pack_origin
    if name in packs:
        return packs[name], Origin(f"skill pack {name}")
    known = sorted({*packs, *(pack.name for pack in objects.all(SkillPack))})
    why = f"there is no SkillPack {name}; known are {', '.join(known) or 'none'}"
    raise Refused(Reason.MissingReference, origin, where, why)


def _params(pack: SkillPack, stated: dict[str, Any], chosen: Chosen, origin: Origin, where: str) -> dict[str, str]:
    for name in stated:
        if name not in pack.spec.params:
            known = ", ".join(pack.spec.params) or "none"
            why = f"the skill {pack.name} has no such parameter; it has {known}"
            raise Refused(Reason.InvalidDocument, origin, f"{where}.params.{name}", why)
    config = chosen.instance.spec.skill_config.get(pack.name)
    namespaces = {"namespaces": ",".join(config.namespaces)} if config and config.namespaces else {}
    merged = {**namespaces, **pack.spec.params, **stated}
    found = {_variable(name): value if isinstance(value, str) else json.dumps(value) for name, value in merged.items()}
    if sum(map(len, found.values())) > MAX_PARAMETERS:
        why = f"the parameters of {pack.name} are larger than {MAX_PARAMETERS >> 10} KiB together"
        raise Refused(Reason.InvalidDocument, origin, f"{where}.params", why)
    return found


def _variable(name: str) -> str:
    return PARAMETER_PREFIX + re.sub(r"[^A-Za-z0-9]", "_", name).upper()


def _check_config(chosen: Chosen, found: Mapping[str, Skill]) -> None:
    for name, config in chosen.instance.spec.skill_config.items():
        where = f"spec.skillConfig.{name}"
        if name not in found:
            why = "the instance has no such skill"
            raise Refused(Reason.MissingReference, chosen.instance_origin, where, why)
        if config.secret_ref and found[name].pack.spec.sidecar is None:
            why = f"the skill {name} has no sidecar, so no program that a Secret could be given to"
            raise Refused(Reason.InvalidDocument, chosen.instance_origin, f"{where}.secretRef", why)


def skill_participant(skill: Skill) -> ParticipantSpec:
    """The skill as the agent and the gate know it."""
    sidecar = skill.pack.spec.sidecar
    assert sidecar is not None
    command = () if sidecar.commands is None else (ToolSpec(name=EXECUTE, effect="write"),)
    declared = (ToolSpec(name=tool.name, effect=tool.effect, timeout=tool.timeout) for tool in sidecar.tools)
    return ParticipantSpec(
        name=skill.pack.name,
        role="skill",
        tools=(*command, *declared),
        instructions=skill.pack.spec.instructions,
        commands=sidecar.commands,
    )


def check_tool_names(skills: Iterable[Skill], taken: Mapping[str, str]) -> frozenset[str]:
    """All names of tools; ``taken``: those of others than skills, and whose they are.

    A name belongs to one participant; ``execute_command`` alone is shared. Raises InvalidPack.
    """
    owners = {**taken, "complete": "the agent itself"}
    for skill in skills:
        for number, tool in enumerate(skill.pack.spec.sidecar.tools if skill.pack.spec.sidecar else ()):
            where = f"sidecar.tools.{number}.name"
            if tool.name in owners:
                raise InvalidPack(str(skill.origin), where, f"{tool.name} is also a tool of {owners[tool.name]}")
            if tool.name == EXECUTE:
                raise InvalidPack(str(skill.origin), where, f"{EXECUTE} is declared by commands, not as a tool")
            owners[tool.name] = f"the skill {skill.pack.name}"
    return frozenset(owners) | {EXECUTE}
