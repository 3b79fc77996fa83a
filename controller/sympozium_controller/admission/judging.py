"""One AdmissionRequest to a judgement. Pure: what it needs to know was found before.

An object is refused for what it says itself, a run for what all its objects and policies say together. What is not
there yet refuses nothing: objects come in any order, and a run waits for what it names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from pydantic import ValidationError

from sympozium_controller.admission import rights
from sympozium_controller.admission.authors import vouched_for
from sympozium_controller.admission.bounds import distinct, places
from sympozium_controller.admission.effective import IN_CLUSTER, LONG_AGO, TRIAL, try_run, warnings
from sympozium_controller.admission.egress import RULE, is_egress
from sympozium_controller.admission.images import fault_of_registry
from sympozium_controller.admission.rights import Wanted
from sympozium_controller.admission.secrets import stand_in
from sympozium_controller.documents import Objects, read_object
from sympozium_controller.errors import InvalidPack, Origin, Refused, fault_of
from sympozium_controller.lifecycle import remembering
from sympozium_controller.objects import (
    AgentRun,
    MCPServer,
    Metadata,
    Object,
    SkillPack,
    SympoziumInstance,
    SympoziumPolicy,
)
from sympozium_controller.objects.run import RunObjectSpec
from sympozium_controller.packs import check_pack
from sympozium_controller.pod import SecretEnv
from sympozium_controller.policies import check_template, policy_spec
from sympozium_controller.resolve import NATIVE, resolve
from sympozium_controller.servers import Server, server_specs
from sympozium_controller.skills import SHELL
from sympozium_protocol.exits import Reason
from sympozium_protocol.policy import Subject, judge_subject

NOT_THERE: Final = (Reason.MissingReference, Reason.MissingKey)
"""Reasons that refuse nothing: what is missing may come."""
_OWN_REFERENCES: Final = ("spec.provider.name", "spec.skillConfig.")
"""Fields of an instance that name nothing outside of it: what is missing there never comes."""


@dataclass(frozen=True)
class Known:
    """What was found for one request: the objects that it leads to, and what of them nobody could read.

    ``packs``: of the system namespace, by name. ``instances``: those that name a SkillPack which is written.
    ``sandboxes``: the cluster's RuntimeClasses, None where nobody asked.
    """

    objects: Objects = field(default_factory=Objects)
    packs: Mapping[str, SkillPack] = field(default_factory=dict)
    faults: tuple[Refused, ...] = ()
    instances: tuple[SympoziumInstance, ...] = ()
    sandboxes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """``refused`` is None for what may be kept, if its author holds what is ``wanted``."""

    refused: Refused | None = None
    wanted: tuple[Wanted, ...] = ()
    """In the order of the fields that name them."""
    author: SympoziumInstance | None = None
    """The instance whose author must hold what is wanted; None: whoever writes this object."""
    warnings: tuple[str, ...] = ()


def read(value: Mapping[str, Any]) -> Object:
    """The object of a request. Raises Refused naming the field that no object of ours has so."""
    return read_object(dict(value), origin_of(value))


def origin_of(value: Mapping[str, Any]) -> Origin:
    """As people name it: ``SkillPack team/k8s-ops``."""
    metadata = value.get("metadata") or {}
    place = "/".join(filter(None, (metadata.get("namespace"), metadata.get("name") or metadata.get("generateName"))))
    return Origin(f"{value.get('kind', 'object')} {place}")


def judge(one: Object, origin: Origin, known: Known, *, system: str) -> Judgement:
    """``system``: the namespace of the installation."""
    try:
        return _judge(one, origin, known, system)
    except Refused as refused:
        return Judgement(refused)
    except ValidationError as error:  # what the models of objects let be and a RunSpec does not
        where, why = fault_of(error)
        return Judgement(Refused(Reason.InvalidDocument, origin, "", f"runs of it would not be valid: {where}: {why}"))


def _judge(one: Object, origin: Origin, known: Known, system: str) -> Judgement:
    if isinstance(one, AgentRun):
        return _run(one, origin, known)
    if isinstance(one, SympoziumInstance):
        return _instance(one, origin, known)
    if isinstance(one, SkillPack):
        return _pack(one, origin, known, system)
    if isinstance(one, SympoziumPolicy):
        _policy(one, origin)
    if isinstance(one, MCPServer):
        _server(one, origin)
        return Judgement(wanted=distinct(rights.of_server(one), origin))
    return Judgement()


def _run(run: AgentRun, origin: Origin, known: Known) -> Judgement:
    if run.spec.cancel:
        return Judgement()  # it will never be more than an object
    for fault in known.faults:
        raise fault
    objects = _with(known.objects, run, origin)
    try:
        spec = try_run(objects, known.packs, sandboxes=known.sandboxes)
    except Refused as refused:
        if refused.reason in NOT_THERE:
            return Judgement()
        raise
    instance = objects.get(SympoziumInstance, run.spec.instance_ref, run.namespace)
    assert instance is not None  # as it was resolved
    wanted = vouched_for(instance, packs_of(instance, known), known.packs)
    found = distinct(wanted, objects.origin(instance))
    return Judgement(wanted=found, author=instance, warnings=warnings(spec, objects))


def _instance(instance: SympoziumInstance, origin: Origin, known: Known) -> Judgement:
    """For trial with a run of its own, under no policy of others: only what it says itself is held against it."""
    if fault := remembering.fault_of(instance):
        raise Refused(Reason.InvalidDocument, origin, *fault)
    whole = instance.spec.model_copy(update={"policy": ""})
    bare = whole.model_copy(update={"skills": (), "skill_config": {}, "mcp_servers": ()})
    for spec in (whole, bare):  # what is not there yet hides what is wrong besides
        missing = _try_instance(instance.model_copy(update={"spec": spec}), origin, known)
        if not missing:
            break
    return Judgement(wanted=distinct(rights.of_instance(instance, packs_of(instance, known)), origin))


def _try_instance(instance: SympoziumInstance, origin: Origin, known: Known) -> bool:
    """Is something missing that it names? Raises Refused for its own faults."""
    trial = AgentRun(
        metadata=Metadata(name=TRIAL, namespace=instance.namespace),
        spec=RunObjectSpec(instance_ref=instance.name, input=TRIAL),
    )
    objects = _with(_with(known.objects, instance, origin), trial, Origin(TRIAL))
    try:
        resolve(objects, known.packs, IN_CLUSTER, run_id=TRIAL, now=LONG_AGO)
    except Refused as refused:
        missing = refused.reason in NOT_THERE
        if refused.origin == origin and (not missing or refused.field.startswith(_OWN_REFERENCES)):
            raise
        return missing
    return False


def packs_of(instance: SympoziumInstance, known: Known) -> tuple[SkillPack, ...]:
    """Those of its skills that are there: its namespace's before those of the system namespace."""
    found = (
        known.objects.get(SkillPack, name, instance.namespace) or known.packs.get(name)
        for name in skill_names(instance)
    )
    return tuple(pack for pack in found if pack)


def skill_names(instance: SympoziumInstance) -> tuple[str, ...]:
    """What it may lead to: ``shell`` stands in when none of its skills brings a sidecar."""
    return tuple(dict.fromkeys((*(skill.skill_pack_ref for skill in instance.spec.skills), SHELL)))


def _pack(pack: SkillPack, origin: Origin, known: Known, system: str) -> Judgement:
    check_pack(pack, str(origin), "spec.")
    sidecar = pack.spec.sidecar
    for number, word in enumerate(sidecar.egress if sidecar else ()):
        if not is_egress(word):
            raise InvalidPack(str(origin), f"spec.sidecar.egress.{number}", f"{word!r} {RULE}")
    if sidecar and sidecar.cluster_rbac and pack.namespace != system:
        why = f"only packs of the namespace {system} may name rights in the whole cluster; name them in rbac, which "
        raise InvalidPack(str(origin), "spec.sidecar.clusterRBAC", f"{why}holds in the namespaces of an instance")
    acts = (place for instance in known.instances for place in rights.places_of(instance, pack.name))
    given = rights.of_secrets_given(pack, known.instances)
    wanted = chain(rights.of_pack(pack, chain((pack.namespace,), acts)), given, _shared(pack, origin, known))
    return Judgement(wanted=distinct(wanted, origin), warnings=tuple(_on_secrets(pack)))


def _on_secrets(pack: SkillPack) -> Iterator[str]:
    """Its runs fail unless the installation says so: to be told before. What it says may change any time."""
    sidecar = pack.spec.sidecar
    for number, rule in enumerate(sidecar.rbac if sidecar else ()):
        if {"", "*"} & set(rule.api_groups) and {"secrets", "*"} & set(rule.resources):
            why = "no run is given rights on secrets unless the ClusterRole sympozium-grantable has them"
            yield f"spec.sidecar.rbac.{number}: {why}"


def _shared(pack: SkillPack, origin: Origin, known: Known) -> Iterator[Wanted]:
    """What a pack with rules comes by through the account that it shares with an instance's other skills."""
    if not rights.has_account(pack):
        return
    field = "spec.sidecar.rbac"
    others: dict[tuple[str, str], tuple[SkillPack, dict[str, None]]] = {}
    for other, place in places(_others(pack, known), origin, field):
        others.setdefault((other.namespace, other.name), (other, {}))[1][place] = None
    for other, acts in others.values():
        yield from (Wanted(one.right, field) for one in rights.granted(other, acts))


def _others(pack: SkillPack, known: Known) -> Iterator[tuple[SkillPack, str]]:
    """Each with a namespace where an instance lets it act."""
    for instance in known.instances:
        for other in packs_of(instance, known):
            if other.name != pack.name:
                yield from ((other, place) for place in rights.places_of(instance, other.name))


def _policy(policy: SympoziumPolicy, origin: Origin) -> None:
    """A policy says nothing that would not hold."""
    check_template(policy, origin)
    judged = (policy_spec(policy),)
    for tool in NATIVE:
        if judge_subject(Subject(tool.name, tool.effect, native=True), judged).decision == "ask":
            why = f"{tool.name} runs inside the agent, where nobody can be asked: put it into deniedTools, or leave it"
            raise Refused(Reason.PolicyUnsatisfiable, origin, "spec.requireApproval", f"{why} out here")
    for number, word in enumerate(policy.spec.egress.allow):
        if not is_egress(word):
            raise Refused(Reason.InvalidDocument, origin, f"spec.egress.allow.{number}", f"{word!r} {RULE}")
    for number, entry in enumerate(policy.spec.images.registries):
        if fault := fault_of_registry(entry):
            raise Refused(Reason.InvalidDocument, origin, f"spec.images.registries.{number}", fault)


def _server(server: MCPServer, origin: Origin) -> None:
    """An image without a command, and keys that a Secret lacks, are told when a run needs them."""
    secret = stand_in(server)
    keys = {key: SecretEnv(key, secret.name, key) for key in secret.names()} if secret else {}
    try:
        server_specs((Server(server, origin, keys),), ())
    except Refused as refused:
        if refused.reason is Reason.InvalidDocument:
            raise


def _with(objects: Objects, one: Object, origin: Origin) -> Objects:
    """These objects, and this one in place of the one of its name."""
    key = (type(one).__name__, one.namespace, one.name)
    return Objects({**objects.found, key: one}, {**objects.origins, key: origin})
