"""The whole installation, in stages: each is in force before the next begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sympozium_controller.admission import configuration as admission
from sympozium_controller.crds.definitions import documents as definitions
from sympozium_controller.crds.guards import guards
from sympozium_controller.crds.policies import policies
from sympozium_controller.crds.roles import roles as user_roles
from sympozium_controller.crds.shipped import builtin_packs
from sympozium_controller.install import bus, control, roles, walls
from sympozium_controller.install.fence import fence
from sympozium_controller.install.pods import PRIORITY, labelled, named
from sympozium_controller.install.settings import Settings
from sympozium_controller.objects import SkillPack
from sympozium_protocol.kube.api import KubeObject


@dataclass(frozen=True, slots=True)
class Stage:
    """``name`` is for people."""

    name: str
    documents: tuple[KubeObject, ...]


def stages(settings: Settings, packs: Iterable[SkillPack] = ()) -> tuple[Stage, ...]:
    """Every document once, with the label of an installation. The same settings give the same documents.

    ``packs``: those that come with us.
    """
    return tuple(Stage(name, tuple(map(labelled, found))) for name, found in _stages(settings, packs))


def _stages(settings: Settings, packs: Iterable[SkillPack]) -> Iterator[tuple[str, tuple[KubeObject, ...]]]:
    system = settings.namespace
    yield "custom resources", definitions()
    yield "namespace", (_namespace(settings), _priority())
    ours = (*roles.grantable(), *roles.controller(system), *roles.keeper(system))
    yield "rights", (*ours, *user_roles(), *bus.access(settings), *roles.catalogue(system))
    yield "fences", (*fence(system), *policies(system), *guards(system), *walls.documents(settings))
    yield "keys of the bus", bus.keys_documents(settings)
    yield "bus", (*bus.server_documents(settings), *bus.keeper_documents(settings))
    yield "controller", control.documents(settings)
    # only now: it fails closed, and the controller answers
    where = admission.Where(namespace=system)
    yield "admission", admission.documents(where, system=system, policies=settings.mutating_policies)
    yield "skill packs", builtin_packs(packs, system)


def _namespace(settings: Settings) -> KubeObject:
    """Pod Security holds every pod of it to the strictest of its standards."""
    found = named("Namespace", settings.namespace)
    found["metadata"]["labels"] |= {
        f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")
    }
    return found


def _priority() -> KubeObject:
    return named(
        "PriorityClass",
        PRIORITY,
        api="scheduling.k8s.io/v1",
        value=1_000_000,
        globalDefault=False,
        description="The controller and the bus: without them no run goes on, and nothing of sympozium.ai is admitted.",
    )
