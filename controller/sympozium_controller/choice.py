"""Which instance and which run are meant: those of the documents, of the flags, or of both.

Flags win over the documents, except that limits and the policy only tighten what the documents state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import ValidationError

from sympozium_controller.documents import Objects
from sympozium_controller.errors import Origin, Refused, fault_of
from sympozium_controller.flags import ON_COMMAND_LINE, Flags
from sympozium_controller.objects import AgentRun, Limits, Metadata, Provider, SkillRef, SympoziumInstance
from sympozium_controller.objects.instance import InstanceSpec
from sympozium_controller.objects.run import MAX_INPUT, RunObjectSpec
from sympozium_controller.objects.units import parse_duration
from sympozium_protocol.exits import Reason

DEFAULT_NAME: Final = "laptop"
"""The instance that flags alone make."""
DEFAULT_NAMESPACE: Final = "default"


@dataclass(frozen=True, slots=True)
class Chosen:
    """One instance and one run, with where each came from."""

    instance: SympoziumInstance
    run: AgentRun
    namespace: str
    instance_origin: Origin
    run_origin: Origin
    flag_limits: Limits
    own: bool
    """Did flags alone make the instance?"""
    added_skills: frozenset[str] = frozenset()
    """Skills that a flag names and the instance does not."""


def choose(objects: Objects, flags: Flags) -> Chosen:
    """The instance and the run that documents and flags mean. Raises Refused."""
    run = _run(objects, flags)
    instance = _instance(objects, flags, run)
    own = instance is None
    made = instance or _from_flags(flags)
    return Chosen(
        instance=_overlay(made, flags),
        run=_asked(run, made, flags),
        namespace=made.namespace or (run.namespace if run else "") or DEFAULT_NAMESPACE,
        instance_origin=ON_COMMAND_LINE if own else objects.origin(made),
        run_origin=objects.origin(run) if run else ON_COMMAND_LINE,
        flag_limits=_limits(flags),
        own=own,
        added_skills=frozenset(flags.skills) - {skill.skill_pack_ref for skill in made.spec.skills},
    )


T = TypeVar("T", SympoziumInstance, AgentRun)


def _one(found: Sequence[T], what: str, hint: str) -> T | None:
    if len(found) > 1:
        names = ", ".join(f"{one.namespace}/{one.name}".lstrip("/") for one in found)
        raise Refused(Reason.Usage, ON_COMMAND_LINE, "", f"there are several {what}: {names}; {hint}")
    return found[0] if found else None


def _run(objects: Objects, flags: Flags) -> AgentRun | None:
    runs = [r for r in objects.all(AgentRun) if flags.instance in ("", r.spec.instance_ref)]
    names = ", ".join(sorted({run.spec.instance_ref for run in runs}))
    found = _one(runs, "AgentRuns", f"pick one by its instance, with --instance ({names}), or give the file of one")
    if found and found.spec.cancel:
        raise Refused(Reason.Usage, objects.origin(found), "spec.cancel", "this run is cancelled already")
    return found


def _instance(objects: Objects, flags: Flags, run: AgentRun | None) -> SympoziumInstance | None:
    """None: nothing names one, so flags make it."""
    known = objects.all(SympoziumInstance)
    if run is not None:
        found = objects.get(SympoziumInstance, run.spec.instance_ref, run.namespace or DEFAULT_NAMESPACE)
        same = [i for i in known if i.name == run.spec.instance_ref] if not run.namespace else []
        found = found or _one(same, "instances of this name", "state metadata.namespace")
        return found or _missing(objects.origin(run), "spec.instanceRef", run.spec.instance_ref, known)
    named = [i for i in known if flags.instance in ("", i.name)]
    found = _one(named, "SympoziumInstances", "pick one with --instance")
    if found is None and flags.instance:
        return _missing(ON_COMMAND_LINE, "--instance", flags.instance, known)
    return found


def _missing(origin: Origin, field: str, name: str, known: Sequence[SympoziumInstance]) -> SympoziumInstance:
    names = ", ".join(sorted(i.name for i in known)) or "none"
    raise Refused(
        Reason.MissingReference,
        origin,
        field,
        f"there is no SympoziumInstance {name} in these documents; there is: {names}",
    )


def _from_flags(flags: Flags) -> SympoziumInstance:
    for name, said in (("--model", flags.model), ("--base-url", flags.base_url)):
        if said and not (flags.provider or flags.recording):
            raise Refused(Reason.Usage, ON_COMMAND_LINE, name, "needs --provider: the built-in script has no model")
    # with neither documents nor a provider: the built-in script, which needs no key and no network
    provider = Provider(name=flags.provider or "scripted")
    # flags alone: their policy is the instance's own, not a further one over Default
    return SympoziumInstance(
        metadata=Metadata(name=DEFAULT_NAME), spec=InstanceSpec(provider=provider, policy=flags.policy)
    )


def _overlay(instance: SympoziumInstance, flags: Flags) -> SympoziumInstance:
    spec = instance.spec
    changed: dict[str, object] = {"provider": _provider(spec.provider, flags)}
    if flags.skills:
        known = {skill.skill_pack_ref for skill in spec.skills}
        added = (_skill(name) for name in dict.fromkeys(flags.skills) if name not in known)
        changed["skills"] = (*spec.skills, *added)
    if flags.memory:
        changed["memory"] = spec.memory.model_copy(update={"enabled": True})
    if flags.system:
        changed["system_prompt"] = flags.system
    return instance.model_copy(update={"spec": spec.model_copy(update=changed)})


def _skill(name: str) -> SkillRef:
    try:
        return SkillRef(skill_pack_ref=name)
    except ValidationError:
        raise Refused(
            Reason.MissingReference, ON_COMMAND_LINE, "--skill", f"{name!r} cannot be a skill's name"
        ) from None


def _provider(had: Provider | None, flags: Flags) -> Provider | None:
    """Another provider takes nothing over from the one in the documents; its own changes replace fields."""
    name = flags.provider or ("scripted" if flags.script else "") or ("replay" if flags.recording else "")
    provider = Provider(name=name) if name and (had is None or had.name != name) else had
    if provider is None:
        return None
    changed = {"model": flags.model, "base_url": flags.base_url}
    return provider.model_copy(update={key: value for key, value in changed.items() if value})


def _asked(run: AgentRun | None, instance: SympoziumInstance, flags: Flags) -> AgentRun:
    if run is None and not flags.input:
        raise Refused(
            Reason.Usage, ON_COMMAND_LINE, "INPUT", "missing: say what is to be done, or give an AgentRun with -f"
        )
    if len(flags.input) > MAX_INPUT:
        raise Refused(Reason.Usage, ON_COMMAND_LINE, "INPUT", f"is larger than {MAX_INPUT >> 20} MiB")
    if run is not None:
        changed = {"input": flags.input} if flags.input else {}
        return run.model_copy(update={"spec": run.spec.model_copy(update=changed)})
    return AgentRun(
        metadata=Metadata(name="run", namespace=instance.namespace),
        spec=RunObjectSpec(instance_ref=instance.name, input=flags.input),
    )


def _limits(flags: Flags) -> Limits:
    try:
        timeout = parse_duration(flags.timeout) if flags.timeout else None
    except ValueError as error:
        raise Refused(Reason.Usage, ON_COMMAND_LINE, "--timeout", str(error)) from None
    try:
        found = Limits.model_validate({"steps": flags.max_steps, "tokens": flags.max_tokens, "usd": flags.max_usd})
    except ValidationError as error:
        raise Refused(Reason.Usage, ON_COMMAND_LINE, f"--max-{fault_of(error)[0]}", "must be 0 or more") from None
    return found.model_copy(update={"timeout": timeout})
