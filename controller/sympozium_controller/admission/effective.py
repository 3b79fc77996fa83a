"""A run against every policy that holds over it: what a gate judges call by call, and what only a cluster can deny.

Pure, and asked twice: when the AgentRun is admitted, and by whoever makes its Job from what is there by then.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Final

from sympozium_controller.admission.egress import Reach, Wanted
from sympozium_controller.admission.images import beginnings, comes_from, is_ours
from sympozium_controller.choice import Chosen, choose
from sympozium_controller.documents import Objects
from sympozium_controller.errors import Origin, Refused
from sympozium_controller.flags import Flags
from sympozium_controller.limits import FIELDS
from sympozium_controller.objects import SkillPack, SympoziumPolicy
from sympozium_controller.policies import policies_of
from sympozium_controller.render.kubernetes.job import SANDBOX
from sympozium_controller.resolve import resolve
from sympozium_controller.servers import servers_of
from sympozium_controller.skills import Skill, skills_of
from sympozium_protocol.exits import Reason
from sympozium_protocol.messages.spec import ParticipantSpec, PolicySpec, RunSpec
from sympozium_protocol.policy import Subject, judge_subject

IN_CLUSTER: Final = Flags(approve="wait")
"""Nobody sits before a run in a cluster; whoever answers does so from elsewhere."""
TRIAL: Final = "trial"
LONG_AGO: Final = "2000-01-01T00:00:00Z"
"""The time of a trial: nothing rests on it."""


def try_run(objects: Objects, packs: Mapping[str, SkillPack], *, sandboxes: Container[str] | None = None) -> RunSpec:
    """Resolve the one AgentRun in ``objects`` for trial and hold it against its policies.

    ``packs``: those of the system namespace; ``sandboxes``: names of the cluster's RuntimeClasses, None where they are
    not known. Raises Refused.
    """
    spec = resolve(objects, packs, IN_CLUSTER, run_id=TRIAL, now=LONG_AGO)
    hold(objects, packs, IN_CLUSTER, sandboxes=sandboxes)
    return spec


def hold(
    objects: Objects, packs: Mapping[str, SkillPack], flags: Flags, *, sandboxes: Container[str] | None = None
) -> None:
    """What the policies say about images, egress and the sandbox of a run that ``resolve`` takes. Raises Refused."""
    chosen = choose(objects, flags)
    policies = policies_of(objects, chosen, flags)
    skills = skills_of(objects, packs, chosen)
    images = [*_images(skills), *_server_images(objects, chosen, flags)]
    egress = [*_egress(skills)]
    for policy in policies:
        origin = _origin(policy, objects)
        _check_images(policy, origin, images)
        _check_egress(policy, origin, egress)
    _check_sandbox([policy for policy in policies if demands_sandbox(policy)], objects, sandboxes)


def demands_sandbox(policy: SympoziumPolicy) -> bool:
    return policy.spec.sandbox.enabled or policy.spec.template == "Restrictive"


def _origin(policy: SympoziumPolicy, objects: Objects) -> Origin:
    key = ("SympoziumPolicy", policy.namespace, policy.name)
    return objects.origins.get(key, Origin(f"built-in SympoziumPolicy {policy.name}"))


def _images(skills: Iterable[Skill]) -> Iterator[tuple[str, str]]:
    """Each with whose it is. Images of this installation come from where whoever installed it said."""
    for skill in skills:
        if skill.pack.spec.sidecar and skill.pack.spec.sidecar.image:
            yield f"the SkillPack {skill.pack.name}", skill.pack.spec.sidecar.image


def _server_images(objects: Objects, chosen: Chosen, flags: Flags) -> Iterator[tuple[str, str]]:
    for server in servers_of(objects, chosen, flags):
        if server.object.spec.image:
            yield f"the MCPServer {server.name}", server.object.spec.image


def _check_images(policy: SympoziumPolicy, origin: Origin, images: Iterable[tuple[str, str]]) -> None:
    registries = policy.spec.images.registries
    found = beginnings(registries)
    for whose, image in images:
        if registries and not is_ours(image) and not comes_from(image, found):
            why = f"{whose} has the image {image}, and this policy takes images from {', '.join(registries)} alone"
            remedy = "use an image from there, or add its registry to the policy"
            raise Refused(Reason.PolicyUnsatisfiable, origin, "spec.images.registries", f"{why}; {remedy}")


def _egress(skills: Iterable[Skill]) -> Iterator[tuple[str, Wanted]]:
    """Each with the name of its skill."""
    for skill in skills:
        for word in skill.pack.spec.sidecar.egress if skill.pack.spec.sidecar else ():
            yield skill.pack.name, Wanted(word)


def _check_egress(policy: SympoziumPolicy, origin: Origin, egress: Iterable[tuple[str, Wanted]]) -> None:
    allowed = policy.spec.egress.allow
    reach = Reach(allowed)
    for skill, wanted in egress if allowed else ():
        if not reach.has(wanted):
            why = f"the SkillPack {skill} must reach {wanted.word}, and this policy allows "
            remedy = f"{', '.join(allowed)} alone; leave the skill out, or add {wanted.word} to the policy"
            raise Refused(Reason.PolicyUnsatisfiable, origin, "spec.egress.allow", why + remedy)


def _check_sandbox(demanding: Sequence[SympoziumPolicy], objects: Objects, sandboxes: Container[str] | None) -> None:
    """A pod has one RuntimeClass, and it is there."""
    if not demanding:
        return
    stated = [policy for policy in demanding if policy.spec.sandbox.runtime_class]
    first = (stated or demanding)[0]
    wanted = first.spec.sandbox.runtime_class or SANDBOX
    field = "spec.sandbox.runtimeClass"
    for other in stated:
        if (found := other.spec.sandbox.runtime_class) != wanted:
            why = f"is {found}, and that of the policy {first.name} is {wanted}: a pod has one; name the same in both"
            raise Refused(Reason.PolicyUnsatisfiable, _origin(other, objects), field, why)
    if sandboxes is not None and wanted not in sandboxes:
        why = (
            f"this policy demands a sandbox, and the cluster has no RuntimeClass {wanted}; install it, or name another"
        )
        raise Refused(Reason.PolicyUnsatisfiable, _origin(first, objects), field, why)


def warnings(spec: RunSpec, objects: Objects) -> tuple[str, ...]:
    """What is allowed and probably not meant: skills whose every tool is denied, limits that others tighten."""
    policies = tuple(map(_searchable, spec.policies))
    idle = (one for one in spec.participants if one.role != "model" and one.tools and _denied(one, policies))
    said = (f"the policies of this run deny every tool of {one.name}" for one in idle)
    return (*said, *_looser(spec, objects))


def _searchable(policy: PolicySpec) -> PolicySpec:
    """The same, with sets: thousands of tools are looked for in lists of hundreds."""
    names = ("denied_tools", "require_approval", "allowed_tools")
    return policy.model_copy(update={name: frozenset(getattr(policy, name)) for name in names})


def _denied(participant: ParticipantSpec, policies: tuple[PolicySpec, ...]) -> bool:
    skill = participant.role == "skill"
    subjects = (Subject(tool.name, tool.effect, skill=skill) for tool in participant.tools)
    return not participant.prefixes and all(judge_subject(s, policies).decision == "deny" for s in subjects)


def _looser(spec: RunSpec, objects: Objects) -> Iterator[str]:
    stated = choose(objects, IN_CLUSTER).run.spec.limits
    for name in FIELDS:
        asked, holds = getattr(stated, name), getattr(spec.limits, name)
        if asked is not None and holds and (not asked or asked > holds):
            yield f"spec.limits.{name}: {asked:g} is looser than {holds:g}, which holds over this run"
