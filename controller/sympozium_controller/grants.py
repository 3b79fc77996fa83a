"""What the skills of a run may do in a cluster: rules by skill, and where they hold. Pure.

They are found once, with the outfit, and frozen: what changes in a pack or an instance later changes no run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sympozium_controller.choice import Chosen
from sympozium_controller.errors import Origin
from sympozium_controller.objects.skillpack import Rule
from sympozium_controller.skills import Skill

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, order=True)
class RbacRule:
    """One rule, as RBAC has them. No ``resource_names``: all objects."""

    api_groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    resource_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """Rules of one skill in some namespaces, or in the whole cluster when there are none.

    ``shipped``: the pack is of the system namespace (or came with the program), which alone may name rights in the
    whole cluster. ``origin`` is where the pack stands.
    """

    skill: str
    rules: tuple[RbacRule, ...]
    namespaces: tuple[str, ...]
    origin: Origin
    shipped: bool = False

    @property
    def everywhere(self) -> bool:
        return not self.namespaces


def grants_of(skills: Iterable[Skill], chosen: Chosen) -> tuple[Grant, ...]:
    """What these skills ask for, none for those that ask for nothing."""
    return tuple(grant for skill in skills for grant in _grants(skill, chosen) if grant.rules)


def _grants(skill: Skill, chosen: Chosen) -> Iterator[Grant]:
    sidecar = skill.pack.spec.sidecar
    if sidecar is None:
        return
    config = chosen.instance.spec.skill_config.get(skill.pack.name)
    where = config.namespaces if config and config.namespaces else (chosen.namespace,)
    name, shipped = skill.pack.name, skill.shipped
    yield Grant(name, _rules(sidecar.rbac), tuple(dict.fromkeys(where)), skill.origin, shipped)
    yield Grant(name, _rules(sidecar.cluster_rbac), (), skill.origin, shipped)


def _rules(rules: Iterable[Rule]) -> tuple[RbacRule, ...]:
    return tuple(RbacRule(rule.api_groups, rule.resources, rule.verbs, rule.resource_names) for rule in rules)
