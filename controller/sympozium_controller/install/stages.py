"""The whole installation, in stages: each is in force before the next begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sympozium_controller.crds.definitions import documents as definitions
from sympozium_controller.install import bus, control, roles, walls
from sympozium_controller.install.fence import fence
from sympozium_controller.install.pods import PRIORITY, labelled, named
from sympozium_controller.install.settings import Settings
from sympozium_protocol.kube.api import KubeObject


@dataclass(frozen=True, slots=True)
class Stage:
    """``name`` is for people."""

    name: str
    documents: tuple[KubeObject, ...]


def stages(settings: Settings) -> tuple[Stage, ...]:
    """Every document once, with the label of an installation. The same settings give the same documents."""
    return tuple(Stage(name, tuple(map(labelled, found))) for name, found in _stages(settings))


def _stages(settings: Settings) -> Iterator[tuple[str, tuple[KubeObject, ...]]]:
    yield "custom resources", definitions()
    yield "namespace", (_namespace(settings), _priority())
    yield "rights", (*roles.grantable(), *roles.controller(settings.namespace), *roles.keeper(settings.namespace))
    yield "fences", (*fence(settings.namespace), *walls.documents(settings))
    yield "keys of the bus", bus.keys_documents(settings)
    yield "bus", (*bus.server_documents(settings), *bus.keeper_documents(settings))
    yield "controller", control.documents(settings)


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
