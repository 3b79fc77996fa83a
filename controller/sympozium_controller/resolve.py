"""resolve: what users wrote → RunSpec, the one frozen document of a run. Pure; time and ids are arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sympozium_controller.choice import choose
from sympozium_controller.documents import Objects
from sympozium_controller.elsewhere import place, tool_names
from sympozium_controller.errors import Origin, Refused
from sympozium_controller.flags import Flags
from sympozium_controller.limits import resolve_limits
from sympozium_controller.memory import MEMORY, TOOLS, memory_participant, recollections
from sympozium_controller.objects import SkillPack
from sympozium_controller.objects.instance import Memory
from sympozium_controller.packs import pack_digest
from sympozium_controller.policies import policies_of, policy_spec
from sympozium_controller.providers import model_participant, model_spec
from sympozium_controller.servers import Server, mcp_participant, server_specs, servers_of
from sympozium_controller.skills import Skill, check_tool_names, skill_participant, skills_of
from sympozium_protocol.exits import Reason
from sympozium_protocol.files import MAX_FILE
from sympozium_protocol.messages.spec import ApprovalSpec, NativeSpec, ParticipantSpec, PolicySpec, RunSpec, ToolSpec
from sympozium_protocol.policy import Subject, judge_subject

NATIVE: Final = (
    ToolSpec(name="read_file", effect="read"),
    ToolSpec(name="write_file", effect="idempotent"),
    ToolSpec(name="list_directory", effect="read"),
    ToolSpec(name="fetch_url", effect="read"),
)
"""The tools inside the agent's own container."""


def resolve(
    objects: Objects,
    packs: Mapping[str, SkillPack],
    flags: Flags,
    *,
    run_id: str,
    now: str,
    facts: Mapping[str, str] | None = None,
) -> RunSpec:
    """The RunSpec of the one run that documents and flags mean.

    ``packs`` are the shipped ones by name; ``now`` is UTC, RFC 3339; ``facts`` is what the agent is told of
    where it runs. Raises Refused, whose reason is an exit code 10-19 and whose message names file and field.
    """
    chosen = choose(objects, flags)
    skills = skills_of(objects, packs, chosen)
    servers = servers_of(objects, chosen, flags)
    native = {tool.name: "the agent itself" for tool in NATIVE}
    others = {tool.name: MEMORY for tool in TOOLS} | tool_names(flags.elsewhere)
    taken = check_tool_names(skills, native | others)
    policies = policies_of(objects, chosen, flags)
    judged = tuple(policy_spec(policy) for policy in policies)
    spec = chosen.instance.spec
    found = RunSpec(
        run=run_id,
        agent=chosen.instance.name,
        namespace=chosen.namespace,
        created=now,
        system_prompt=_system_prompt(spec.system_prompt, skills),
        input=chosen.run.spec.input,
        model=model_spec(chosen, flags),
        participants=place(_participants(spec.memory, skills, servers), flags.elsewhere),
        native=NativeSpec(tools=_native(judged, {p.name: objects.origin(p) for p in policies})),
        policies=judged,
        limits=resolve_limits(
            spec.limits, (chosen.run.spec.limits, *(p.spec.limits for p in policies)), chosen.flag_limits
        ),
        approval=ApprovalSpec(
            somebody=flags.approve != "none", patience=spec.approval.patience, expiry=spec.approval.expiry
        ),
        servers=server_specs(servers, taken),
        seeds=spec.memory.seeds if spec.memory.enabled else (),
        prelude=recollections(spec.memory, chosen.run.spec.input) if spec.memory.enabled else (),
        facts={**(facts or {}), **_skill_facts(skills)},
        packs={skill.pack.name: pack_digest(skill.pack) for skill in skills},
    )
    if len(found.encode()) > MAX_FILE:
        why = f"the run would be larger than {MAX_FILE >> 20} MiB: shorten the input, the prompts or the script"
        raise Refused(Reason.InvalidDocument, chosen.run_origin, "spec.input", why)
    return found


def _participants(memory: Memory, skills: Iterable[Skill], servers: Sequence[Server]) -> tuple[ParticipantSpec, ...]:
    return (
        model_participant(),
        *(skill_participant(skill) for skill in skills if skill.pack.spec.sidecar),
        *((memory_participant(),) if memory.enabled else ()),
        *((mcp_participant(servers),) if servers else ()),
    )


def _system_prompt(own: str, skills: Iterable[Skill]) -> str:
    """A skill without a sidecar is no participant: its instructions are part of the prompt itself."""
    told = (s for s in skills if s.pack.spec.sidecar is None and s.pack.spec.instructions.strip())
    sections = (f"# Skill: {s.pack.name}\n{s.pack.spec.instructions.strip()}" for s in told)
    return "\n\n".join(part for part in (own.strip(), *sections) if part)


def _native(policies: tuple[PolicySpec, ...], origins: Mapping[str, Origin]) -> tuple[ToolSpec, ...]:
    """Those that every policy allows. In the agent's container nobody can be asked, so ``ask`` is refused."""
    offered = []
    for tool in NATIVE:
        found = judge_subject(Subject(tool.name, tool.effect, native=True), policies)
        if found.decision == "ask":
            why = f"{tool.name} runs inside the agent, where nobody can be asked; deny it or allow it"
            raise Refused(Reason.PolicyUnsatisfiable, origins[found.by], "spec.requireApproval", why)
        if found.decision == "allow":
            offered.append(tool)
    return tuple(offered)


def _skill_facts(skills: Iterable[Skill]) -> dict[str, str]:
    return {
        f"parameters of {skill.pack.name}": ", ".join(f"{name}={value}" for name, value in skill.params.items())
        for skill in skills
        if skill.params
    }
