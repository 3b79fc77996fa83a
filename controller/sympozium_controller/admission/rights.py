"""The rights that somebody must hold himself to write an object which names them. Pure.

A SkillPack gives its rules to runs, an instance says where they hold, and both name Secrets whose values programs get:
who may write one must not come by more than he has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from sympozium_controller.objects import MCPServer, SkillPack, SympoziumInstance
from sympozium_controller.objects.skillpack import Rule

ALL: Final = "*"


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One verb on one kind of object. No ``namespace``: in the whole cluster; no ``name``: on all of them."""

    namespace: str
    group: str
    resource: str
    verb: str
    subresource: str = ""
    name: str = ""

    @property
    def told(self) -> str:
        """In words: ``get pods/log in the namespace payments``."""
        what = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        what = f"{what}.{self.group}" if self.group else what
        what = f"{what} {self.name}" if self.name else what
        return f"{self.verb} {what} " + (f"in the namespace {self.namespace}" if self.namespace else "everywhere")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A right, and the field that names it."""

    right: Right
    field: str


def everything_in(namespace: str) -> Right:
    """Who holds this holds whatever else there is in the namespace (or in the cluster)."""
    return Right(namespace, ALL, ALL, ALL)


def of_pack(pack: SkillPack, namespaces: Iterable[str]) -> Iterator[Wanted]:
    """What a pack gives runs in these namespaces, and its Secret."""
    yield from granted(pack, namespaces)
    if pack.spec.sidecar and pack.spec.sidecar.secret_ref:
        yield Wanted(_secret(pack.spec.sidecar.secret_ref, pack.namespace), "spec.sidecar.secretRef")


def of_secrets_given(pack: SkillPack, instances: Iterable[SympoziumInstance]) -> Iterator[Wanted]:
    """The Secrets that instances give this pack: its author says which programs read them."""
    for instance in instances if pack.spec.sidecar else ():
        config = instance.spec.skill_config.get(pack.name)
        if config and config.secret_ref:
            yield Wanted(_secret(config.secret_ref, instance.namespace), "spec.sidecar")


def has_account(pack: SkillPack) -> bool:
    """Is it given the account that the skills of a run share?"""
    return bool(pack.spec.sidecar and (pack.spec.sidecar.rbac or pack.spec.sidecar.cluster_rbac))


def granted(pack: SkillPack, namespaces: Iterable[str]) -> Iterator[Wanted]:
    """What its rules give in these namespaces, one by one: they may be billions."""
    if pack.spec.sidecar is None:
        return
    rules = tuple(_numbered(pack.spec.sidecar.rbac, "spec.sidecar.rbac"))
    for place in dict.fromkeys(namespaces) if rules else ():
        yield from _of_rules(rules, place)
    yield from _of_rules(_numbered(pack.spec.sidecar.cluster_rbac, "spec.sidecar.clusterRBAC"), "")


def _numbered(rules: Iterable[Rule], field: str) -> Iterator[tuple[str, Rule]]:
    """Those that give anything, each with its field."""
    for number, rule in enumerate(rules):
        if rule.api_groups and rule.resources and rule.verbs:
            yield f"{field}.{number}", rule


def _of_rules(rules: Iterable[tuple[str, Rule]], namespace: str) -> Iterator[Wanted]:
    for field, rule in rules:
        parts = product(rule.api_groups, rule.resources, rule.verbs, rule.resource_names or ("",))
        for group, words, verb, name in parts:
            resource, _, subresource = words.partition("/")
            yield Wanted(Right(namespace, group, resource, verb, subresource, name), field)


def of_instance(instance: SympoziumInstance, packs: Iterable[SkillPack]) -> Iterator[Wanted]:
    """What it gives its runs: the rules of its packs (those that are there) where it says, and Secrets."""
    yield from of_packs(instance, packs)
    yield from (Wanted(_secret(name, instance.namespace), field) for field, name in _secrets(instance) if name)


def of_packs(instance: SympoziumInstance, packs: Iterable[SkillPack]) -> Iterator[Wanted]:
    """What comes through these packs."""
    for pack in packs:
        yield from of_rules(instance, pack, places_of(instance, pack.name))
        config = instance.spec.skill_config.get(pack.name)
        secret = pack.spec.sidecar.secret_ref if pack.spec.sidecar else ""
        if secret and not (config and config.secret_ref):  # of the run's namespace, wherever the pack is
            yield Wanted(_secret(secret, instance.namespace), "spec.skills")


def of_rules(instance: SympoziumInstance, pack: SkillPack, namespaces: Iterable[str]) -> Iterator[Wanted]:
    """What a pack's rules give in these of the namespaces that an instance says, and in the whole cluster."""
    config = instance.spec.skill_config.get(pack.name)
    field = f"spec.skillConfig.{pack.name}.namespaces" if config and config.namespaces else "spec.skills"
    given = granted(pack, namespaces)
    yield from (Wanted(one.right, field if one.right.namespace else "spec.skills") for one in given)


def places_of(instance: SympoziumInstance, skill: str) -> tuple[str, ...]:
    """The namespaces where an instance lets a skill act."""
    config = instance.spec.skill_config.get(skill)
    return config.namespaces if config and config.namespaces else (instance.namespace,)


def _secrets(instance: SympoziumInstance) -> Iterator[tuple[str, str]]:
    spec = instance.spec
    if spec.provider:
        yield "spec.provider.apiKeySecret", spec.provider.api_key_secret
    for skill, config in spec.skill_config.items():
        yield f"spec.skillConfig.{skill}.secretRef", config.secret_ref
    for number, one in enumerate(spec.pod_template.image_pull_secrets):
        yield f"spec.podTemplate.imagePullSecrets.{number}", one.get("name", "")


def of_server(server: MCPServer) -> Iterator[Wanted]:
    """The keys of its Secret are sent where its author says."""
    if server.spec.secret_ref:
        yield Wanted(_secret(server.spec.secret_ref, server.namespace), "spec.secretRef")


def _secret(name: str, namespace: str) -> Right:
    return Right(namespace, "", "secrets", "get", "", name)


def access_review(right: Right, user: Mapping[str, Any]) -> dict[str, Any]:
    """The question whether ``user`` (an AdmissionRequest's userInfo) holds it: a SubjectAccessReview."""
    attributes = {
        "namespace": right.namespace,
        "group": right.group,
        "resource": right.resource,
        "verb": right.verb,
        "subresource": right.subresource,
        "name": right.name,
    }
    spec: dict[str, Any] = {"resourceAttributes": {name: value for name, value in attributes.items() if value}}
    spec["user"] = user.get("username", "")
    spec |= {name: user[name] for name in ("groups", "uid", "extra") if user.get(name)}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
