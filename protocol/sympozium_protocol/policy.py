"""judge: may this call be made? Pure, and the only place that answers it.

Every policy of the run holds; per call the strictest decides: deny over ask over allow. Within one
policy: deniedTools, then requireApproval, then allowedTools (lifts the names that it lists), then
the template. The model's own tool stands outside these lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from sympozium_protocol.messages.base import Effect
from sympozium_protocol.messages.calls import Call
from sympozium_protocol.messages.spec import PolicySpec, RunSpec

Decision: TypeAlias = Literal["allow", "ask", "deny"]

EXECUTE: Final = "execute_command"
FETCH: Final = "fetch_url"
RESTRICTIVE_ALLOWS: Final = frozenset({"read_file", "list_directory", "memory_search", "memory_list"})
_ORDER: Final[dict[Decision, int]] = {"allow": 0, "ask": 1, "deny": 2}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was decided, by which policy, and why (in words for the model and the person)."""

    decision: Decision
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What a policy looks at: a tool by name, its effect, and where it runs."""

    tool: str
    effect: Effect
    native: bool = False
    skill: bool = False


def judge(call: Call, spec: RunSpec) -> Judgement:
    """Decide on a Call to a participant. Denies what the RunSpec does not offer."""
    participant = spec.participant(call.participant)
    if participant is None:
        return Judgement("deny", "gate", f"this run has no participant {call.participant}")
    tool = participant.tool(call.tool)
    if tool is None:
        return Judgement("deny", "gate", f"{call.participant} has no tool {call.tool} in this run")
    if participant.role == "model" and participant.name == spec.model.participant:
        return Judgement("allow", "gate", "the run's model")
    return judge_subject(Subject(call.tool, tool.effect, skill=participant.role == "skill"), spec.policies)


def judge_native(tool: str, spec: RunSpec) -> Judgement:
    """Decide on a tool of the agent's own container. ``ask`` cannot be had there, so it is deny."""
    offered = next((t for t in spec.native.tools if t.name == tool), None)
    if offered is None:
        # what a policy denies was left out of the RunSpec for that reason, which is the one to tell
        found = judge_subject(Subject(tool, "write", native=True), spec.policies)
        return found if found.decision == "deny" else Judgement("deny", "gate", f"this run has no tool {tool}")
    found = judge_subject(Subject(tool, offered.effect, native=True), spec.policies)
    if found.decision == "ask":
        return Judgement("deny", found.by, f"{tool} runs inside the agent, where nobody can be asked")
    return found


def judge_subject(subject: Subject, policies: tuple[PolicySpec, ...]) -> Judgement:
    """The strictest word of all policies; with equal words the first policy's."""
    found = [_judge_one(subject, policy) for policy in policies]
    return max(found, key=lambda judgement: _ORDER[judgement.decision])


def _judge_one(subject: Subject, policy: PolicySpec) -> Judgement:
    if _covers(policy.denied_tools, subject):
        return Judgement("deny", policy.name, f"policy {policy.name} denies {subject.tool}")
    if _covers(policy.require_approval, subject):
        return Judgement("ask", policy.name, f"policy {policy.name} requires approval of {subject.tool}")
    if subject.tool in policy.allowed_tools:
        return Judgement("allow", policy.name, f"policy {policy.name} allows {subject.tool}")
    return _judge_template(subject, policy)


def _covers(names: tuple[str, ...], subject: Subject) -> bool:
    if subject.tool in names:
        return True
    # a declared tool of a skill is a command by another name
    return EXECUTE in names and subject.skill and subject.effect == "write"


def _judge_template(subject: Subject, policy: PolicySpec) -> Judgement:
    if policy.template == "Permissive":
        return Judgement("allow", policy.name, "the template Permissive allows every tool of the run")
    if policy.template == "Restrictive":
        if subject.tool in RESTRICTIVE_ALLOWS:
            return Judgement("allow", policy.name, f"the template Restrictive allows {subject.tool}")
        return Judgement("deny", policy.name, f"the template Restrictive does not allow {subject.tool}")
    if subject.tool == FETCH and subject.native:
        return Judgement("deny", policy.name, "the template Default does not allow fetch_url")
    if subject.native or subject.effect != "write":
        return Judgement("allow", policy.name, f"the template Default allows {subject.tool}")
    return Judgement("ask", policy.name, f"the template Default asks before {subject.tool}, which can change things")
