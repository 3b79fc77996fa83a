"""Which objects a run means, found in a cluster: what ``resolve`` needs of them, and what is missing. Pure.

Only what the run itself names is read, so an object that is wrong stops none that has nothing to do with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

from sympozium_controller.documents import Objects
from sympozium_controller.errors import Origin
from sympozium_controller.objects import (
    AgentRun,
    MCPServer,
    Metadata,
    Object,
    Secret,
    SkillPack,
    SympoziumInstance,
    SympoziumPolicy,
)
from sympozium_controller.outfit import API_KEY
from sympozium_controller.policies import BUILT_IN
from sympozium_controller.skills import SHELL

T = TypeVar("T", bound=Object)

Find: TypeAlias = Callable[[str, str, str], Object | None]
"""By kind, namespace and name. Raises Refused for an object that is there and cannot be read."""
Floors: TypeAlias = Callable[[str], Iterable[SympoziumPolicy]]
"""The policies over every run of a namespace."""
Keys: TypeAlias = Mapping[str, frozenset[str] | None]
"""Of the Secrets of the namespace that were looked at: the names of their keys; None for one that is not there."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What is not there, and the field that names it."""

    kind: str
    name: str
    of: str
    field: str

    @property
    def why(self) -> str:
        return f"{self.of}: {self.field}: there is no {self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Gathered:
    """``missing``: the first that is; then the rest is not whole. ``secrets``: the names that are to be looked at."""

    objects: Objects
    packs: Mapping[str, SkillPack] = field(default_factory=dict)
    missing: Missing | None = None
    secrets: frozenset[str] = frozenset()


class _Lacks(Exception):
    def __init__(self, missing: Missing) -> None:
        super().__init__(missing.why)
        self.missing = missing


def origin_of(one: Object) -> Origin:
    return Origin(f"{type(one).__name__}/{one.name}")


def gather(run: AgentRun, find: Find, floors: Floors, system: str, keys: Keys) -> Gathered:
    """``system``: the namespace whose packs are there for all. ``keys``: as far as Secrets were looked at."""
    found = _Gathering(run, find, system, keys)
    try:
        found.instance()
        found.policies(floors)
        found.skills()
        found.servers()
        found.key()
    except _Lacks as lacks:
        return Gathered(found.objects, found.packs, lacks.missing, frozenset(found.wanted))
    return Gathered(found.objects, found.packs, None, frozenset(found.wanted))


_NO_KEYS: Final[frozenset[str]] = frozenset()


class _Gathering:
    """One run's, in the making. A Secret that was not looked at yet counts as there, without keys."""

    def __init__(self, run: AgentRun, find: Find, system: str, keys: Keys) -> None:
        self.objects = Objects()
        self.packs: dict[str, SkillPack] = {}
        self.wanted: set[str] = set()
        self._run = run
        self._find = find
        self._system = system
        self._keys = keys
        self._of: SympoziumInstance | None = None
        self._add(run)

    @property
    def _spec(self) -> SympoziumInstance:
        assert self._of is not None
        return self._of

    def instance(self) -> None:
        self._of = self._named(SympoziumInstance, self._run.spec.instance_ref, self._run, "spec.instanceRef")

    def policies(self, floors: Floors) -> None:
        for one in floors(self._run.namespace):
            self._add(one)
        for owner, name in ((self._spec, self._spec.spec.policy or "default"), (self._run, self._run.spec.policy)):
            if name and (name not in BUILT_IN or self._look(SympoziumPolicy, name)):
                self._named(SympoziumPolicy, name, owner, "spec.policy")

    def skills(self) -> None:
        spec = self._spec.spec
        named = [self._skill(ref.skill_pack_ref, f"spec.skills.{n}") for n, ref in enumerate(spec.skills)]
        none_wanted = not spec.skills and "skills" in spec.model_fields_set
        if not none_wanted and not any(pack.spec.sidecar for pack in named):
            named.append(self._skill(SHELL, "spec.skills"))
        for pack in named:
            self._secret_of(pack)

    def _skill(self, name: str, field: str) -> SkillPack:
        """One of the namespace goes before one of the system namespace."""
        own = self._look(SkillPack, name)
        if own is not None and self._run.namespace != self._system:
            self._add(own)
            return own
        pack = self._find("SkillPack", self._system, name)
        if not isinstance(pack, SkillPack):
            raise self._lacks("SkillPack", name, self._spec, field)
        self.packs[name] = pack
        return pack

    def _secret_of(self, pack: SkillPack) -> None:
        config = self._spec.spec.skill_config.get(pack.name)
        if config and config.secret_ref:
            self._secret(config.secret_ref, self._spec, f"spec.skillConfig.{pack.name}.secretRef")
        elif pack.spec.sidecar and pack.spec.sidecar.secret_ref:
            self._secret(pack.spec.sidecar.secret_ref, pack, "spec.sidecar.secretRef")

    def servers(self) -> None:
        for number, name in enumerate(self._spec.spec.mcp_servers):
            server = self._named(MCPServer, name, self._spec, f"spec.mcpServers.{number}")
            if server.spec.secret_ref:
                self._secret(server.spec.secret_ref, server, "spec.secretRef")

    def key(self) -> None:
        """The key of the model's provider."""
        provider = self._spec.spec.provider
        if provider and provider.api_key_secret:
            keys = self._secret(provider.api_key_secret, self._spec, "spec.provider.apiKeySecret")
            if keys and API_KEY not in keys:
                name = f"{provider.api_key_secret} with the key {API_KEY}"
                raise self._lacks("Secret", name, self._spec, "spec.provider.apiKeySecret")

    def _secret(self, name: str, of: Object, field: str) -> frozenset[str]:
        self.wanted.add(name)
        keys = self._keys.get(name, _NO_KEYS)
        if keys is None:
            raise self._lacks("Secret", name, of, field)
        place = Metadata(name=name, namespace=self._run.namespace)
        self._add(Secret(metadata=place, string_data=dict.fromkeys(keys, "")))
        return keys

    def _named(self, model: type[T], name: str, of: Object, field: str) -> T:
        one = self._look(model, name)
        if one is None:
            raise self._lacks(model.__name__, name, of, field)
        self._add(one)
        return one

    def _look(self, model: type[T], name: str) -> T | None:
        found = self._find(model.__name__, self._run.namespace, name)
        return found if isinstance(found, model) else None

    def _lacks(self, kind: str, name: str, of: Object, field: str) -> _Lacks:
        return _Lacks(Missing(kind, name, f"{type(of).__name__} {of.name}", field))

    def _add(self, one: Object) -> None:
        if self.objects.get(type(one), one.name, one.namespace) is None:
            self.objects.add(one, origin_of(one))


def missing_secrets(found: Gathered, keys: Keys) -> Iterator[str]:
    """Those that are still to be looked at."""
    return (name for name in sorted(found.secrets) if name not in keys)
