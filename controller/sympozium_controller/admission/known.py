"""What a request leads to, found through a ``Lookup``: as little as its judgement needs, a few objects at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from sympozium_controller.admission.effective import demands_sandbox
from sympozium_controller.admission.judging import Known, origin_of
from sympozium_controller.admission.reviews import INVALID
from sympozium_controller.admission.rights import has_account
from sympozium_controller.admission.secrets import stand_in
from sympozium_controller.documents import Objects, read_object
from sympozium_controller.errors import Refused
from sympozium_controller.lifecycle.trim import is_too_heavy, packed, spec_of
from sympozium_controller.objects import (
    AgentRun,
    MCPServer,
    Object,
    SkillPack,
    SympoziumInstance,
    SympoziumPolicy,
)
from sympozium_controller.objects.instance import InstanceSpec, SkillRef
from sympozium_controller.policies import FLOOR_LABEL
from sympozium_controller.skills import SHELL
from sympozium_controller.weight import TOO_HEAVY, weight
from sympozium_protocol.exits import Reason
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import Forbidden, KubeError, NotFound
from sympozium_protocol.kube.resources import INSTANCES, MCP_SERVERS, POLICIES, RUNTIME_CLASSES, SKILL_PACKS, Resource

RESTRICTIVE: Final = "restrictive"
"""The built-in policy that demands a sandbox."""
PAGE: Final = 250
"""Objects asked for at once where there may be many."""


TOGETHER: Final = 4 << 20
"""Bytes that the objects of one request may weigh."""

Wanted: TypeAlias = Callable[[KubeObject], bool]
_NOTHING: Final[KubeObject] = {}


def _any(_: KubeObject) -> bool:
    return True


class Lookup(Protocol):
    """Where objects are found: the API server, or what a program knows of it already."""

    async def get(self, resource: Resource, name: str, namespace: str) -> KubeObject | None: ...

    async def all(self, resource: Resource, namespace: str, wanted: Wanted = _any) -> Sequence[KubeObject]:
        """Of all namespaces where ``namespace`` is empty. Their specs may be packed (``trim.spec_of``)."""
        ...


@dataclass(frozen=True, slots=True)
class Live:
    """The API server itself: what was written a moment ago counts. Raises KubeError."""

    api: KubeApi

    async def get(self, resource: Resource, name: str, namespace: str) -> KubeObject | None:
        try:
            return await self.api.get(resource, name, namespace)
        except NotFound:
            return None

    async def all(self, resource: Resource, namespace: str, wanted: Wanted = _any) -> Sequence[KubeObject]:
        found: list[KubeObject] = []
        more = ""
        while True:
            page = await self.api.list(
                resource, namespace, limit=PAGE, more=more, each=lambda one: packed(one) if wanted(one) else _NOTHING
            )
            found += (one for one in page.items if one is not _NOTHING)
            more = page.more
            if not more:
                return found


@dataclass
class _Finding:
    """What has been found so far for one request."""

    lookup: Lookup
    namespace: str
    system: str
    objects: Objects = field(default_factory=Objects)
    packs: dict[str, SkillPack] = field(default_factory=dict)
    faults: list[Refused] = field(default_factory=list)
    sandboxes: frozenset[str] | None = None
    sought: set[str] = field(default_factory=set)
    """Names of the packs that were looked for."""
    weight: int = 0
    thin: bool = False
    """Many instances may be read, of each what it says about skills."""

    def known(self) -> Known:
        return Known(self.objects, self.packs, tuple(self.faults), sandboxes=self.sandboxes)

    def read(self, value: KubeObject | None) -> Object | None:
        """None for what is not there, and for what nobody can read: that is a fault of its own."""
        if value is None:
            return None
        try:
            return self._read(value)
        except Refused as fault:
            self.faults.append(fault)
            return None

    def _read(self, value: KubeObject) -> Object:
        """Raises Refused, and KubeError for more than may be here: what is left out would not be judged."""
        origin, spec = origin_of(value), spec_of(value)
        if is_too_heavy(value):
            raise Refused(Reason.InvalidDocument, origin, "", TOO_HEAVY)
        found = _thin(read_object({**value, "spec": spec}, origin), self.thin)
        self.weight += 0 if self.thin and isinstance(found, SympoziumInstance) else weight(spec)
        if self.weight > TOGETHER:
            why = f"{origin}: is too large beside the others: {TOGETHER >> 20} MiB in memory, at most, all together"
            raise KubeError(INVALID, "TooLarge", why)
        return found

    def add(self, value: KubeObject | None) -> Object | None:
        found = self.read(value)
        if (
            value is not None
            and found is not None
            and self.objects.get(type(found), found.name, found.namespace) is None
        ):
            self.objects.add(found, origin_of(value))
        return found

    async def policies(self, names: Set[str]) -> None:
        """Of those of the namespace the ones that are named, and its floors."""

        def holds(value: KubeObject) -> bool:
            metadata = value["metadata"]
            return metadata["name"] in names or (metadata.get("labels") or {}).get(FLOOR_LABEL) == "true"

        for value in await self.lookup.all(POLICIES, self.namespace, holds):
            self.add(value)
        if RESTRICTIVE in names or any(map(demands_sandbox, self.objects.all(SympoziumPolicy))):
            await self._sandboxes()

    async def _sandboxes(self) -> None:
        try:
            found = await self.lookup.all(RUNTIME_CLASSES, "")
        except Forbidden:
            return  # then whoever makes the pod hears of it
        self.sandboxes = frozenset(one["metadata"]["name"] for one in found)

    async def skills(self, instance: SympoziumInstance) -> None:
        """Those that it names, and ``shell`` when none of them brings a sidecar."""
        named = [ref.skill_pack_ref for ref in instance.spec.skills]
        async with asyncio.TaskGroup() as group:
            for name in dict.fromkeys(named):
                group.create_task(self._skill(name))
        found = (*self.packs.values(), *self.objects.all(SkillPack))
        none_wanted = not named and "skills" in instance.spec.model_fields_set
        if SHELL not in named and not none_wanted and not any(pack.spec.sidecar for pack in found):
            await self._skill(SHELL)

    async def _skill(self, name: str) -> None:
        """Once: a thousand instances may name the same, and what is read again would weigh again."""
        if name in self.sought:
            return
        self.sought.add(name)
        own = await self.lookup.get(SKILL_PACKS, name, self.namespace)
        if own is not None:
            self.add(own)
        if own is None or self.namespace == self.system:
            shipped = own if self.namespace == self.system else await self.lookup.get(SKILL_PACKS, name, self.system)
            found = self.read(shipped)
            if isinstance(found, SkillPack):
                self.packs[name] = found

    async def servers(self, instance: SympoziumInstance) -> None:
        async with asyncio.TaskGroup() as group:
            for name in dict.fromkeys(instance.spec.mcp_servers):
                group.create_task(self._server(name))

    async def _server(self, name: str) -> None:
        found = self.add(await self.lookup.get(MCP_SERVERS, name, self.namespace))
        secret = stand_in(found) if isinstance(found, MCPServer) else None
        if secret and self.objects.get(type(secret), secret.name, secret.namespace) is None:
            self.objects.add(secret, origin_of({"kind": "Secret", "metadata": {"name": secret.name}}))


async def known_of(one: Object, lookup: Lookup, *, system: str) -> Known:
    """What ``judging.judge`` needs for this object. Raises what the lookup does."""
    finding = _Finding(lookup, one.namespace, system)
    if isinstance(one, AgentRun):
        await _of_run(one, finding)
    elif isinstance(one, SympoziumInstance):
        await _led_to(one, finding)  # its policies are held against its runs
    elif isinstance(one, SkillPack):
        return await _of_pack(one, finding)
    return finding.known()


async def _of_run(run: AgentRun, finding: _Finding) -> None:
    lookup = finding.lookup
    instance = finding.add(await lookup.get(INSTANCES, run.spec.instance_ref, run.namespace))
    if not isinstance(instance, SympoziumInstance):
        return  # nothing to judge yet, or its fault
    names = {one for one in (instance.spec.policy or "default", run.spec.policy) if one}
    await _led_to(instance, finding, names)


async def _led_to(instance: SympoziumInstance, finding: _Finding, policies: Set[str] = frozenset()) -> None:
    """``policies``: those that are named; none for what is judged without any."""
    async with asyncio.TaskGroup() as group:
        if policies:
            group.create_task(finding.policies(policies))
        group.create_task(finding.skills(instance))
        group.create_task(finding.servers(instance))


async def _of_pack(pack: SkillPack, finding: _Finding) -> Known:
    """The instances that lead to it: of its namespace, or of all when it is the system's."""
    everywhere = pack.namespace == finding.system
    finding.thin = True
    values = await finding.lookup.all(
        INSTANCES, "" if everywhere else pack.namespace, lambda one: _names(one, pack.name, anyhow=not everywhere)
    )
    found = []
    for value in values:
        found.append(finding.read(value))
        await asyncio.sleep(0)  # there may be thousands, and others wait
    instances = tuple(one for one in found if isinstance(one, SympoziumInstance))
    if not everywhere and has_account(pack):
        for one in instances:  # its other skills, with whose account this one would act
            await finding.skills(one)
    return Known(finding.objects, finding.packs, instances=instances)


def _thin(found: Object, thin: bool) -> Object:
    if not thin or not isinstance(found, SympoziumInstance):
        return found
    skills = tuple(SkillRef(skill_pack_ref=one.skill_pack_ref) for one in found.spec.skills)
    light = InstanceSpec(skills=skills, skill_config=found.spec.skill_config)
    if "skills" not in found.spec.model_fields_set:
        light = InstanceSpec(skill_config=found.spec.skill_config)
    return SympoziumInstance(metadata=found.metadata, spec=light)


def _names(instance: KubeObject, skill: str, *, anyhow: bool) -> bool:
    """Only an instance that says where a skill may act lets it act elsewhere; ``anyhow``: does it name it at all?"""
    spec = instance.get("spec") or {}
    configured = spec.get("skillConfig")
    if isinstance(configured, dict) and skill in configured:
        return True
    listed = spec.get("skills") if anyhow else ()
    return isinstance(listed, list) and any(
        one == skill or (isinstance(one, dict) and one.get("skillPackRef") == skill) for one in listed
    )
