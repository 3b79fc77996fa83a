"""What all pods of an installation have in common: the walls that Pod Security calls restricted, and how they start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sympozium_controller.install.settings import Settings
from sympozium_controller.names import LABEL_COMPONENT, PREFIX
from sympozium_controller.render.images import UID
from sympozium_protocol.kube.api import KubeObject

MANAGER: Final = "sympozium-install"
"""Who applies an installation, and the value of the label by which its objects are known."""
LABELS: Final = {"app.kubernetes.io/part-of": "sympozium", "app.kubernetes.io/managed-by": MANAGER}
PRIORITY: Final = "sympozium-system"
CONTAINER_WALLS: Final[KubeObject] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
POD_WALLS: Final[KubeObject] = {
    "runAsNonRoot": True,
    "runAsUser": UID,
    "runAsGroup": UID,
    "fsGroup": UID,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a container asks for, and what it may take at most."""

    cpu: str
    memory: str
    most_memory: str

    def document(self) -> KubeObject:
        # no limit of CPU: a controller that is slowed down falls behind, and its share is bounded by its request
        disk = {"ephemeral-storage": "64Mi"}
        return {
            "requests": {"cpu": self.cpu, "memory": self.memory, **disk},
            "limits": {"memory": self.most_memory, "ephemeral-storage": "512Mi"},
        }


@dataclass(frozen=True, slots=True)
class Component:
    """One program of the installation: one container, one account."""

    name: str
    """Without the prefix."""
    image: str
    bounds: Bounds
    arguments: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    probes: Mapping[str, KubeObject] = field(default_factory=dict)
    volumes: tuple[KubeObject, ...] = ()
    mounts: tuple[KubeObject, ...] = ()
    speaks_to_cluster: bool = False
    """Has it a token of the API server?"""

    @property
    def full_name(self) -> str:
        return f"{PREFIX}-{self.name}"

    @property
    def selector(self) -> dict[str, str]:
        return {"app.kubernetes.io/name": "sympozium", LABEL_COMPONENT: self.name}


def named(kind: str, name: str, settings: Settings | None = None, *, api: str = "v1", **rest: Any) -> KubeObject:
    """An object of the installation; without ``settings`` one that lies in no namespace."""
    place = {"namespace": settings.namespace} if settings else {}
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **place, "labels": dict(LABELS)}, **rest}


def labelled(document: KubeObject) -> KubeObject:
    """The same object, known as one of an installation."""
    metadata = document["metadata"]
    return {**document, "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), **LABELS}}}


def account(component: Component, settings: Settings) -> KubeObject:
    """It has no token by itself: who needs one mounts it."""
    return named("ServiceAccount", component.full_name, settings, automountServiceAccountToken=False)


def template(component: Component, settings: Settings, **more: Any) -> KubeObject:
    """The pod template of a component."""
    return {
        "metadata": {"labels": {**component.selector, "app.kubernetes.io/part-of": "sympozium"}},
        "spec": {
            "serviceAccountName": component.full_name,
            "automountServiceAccountToken": component.speaks_to_cluster,
            "enableServiceLinks": False,
            "priorityClassName": PRIORITY,
            "securityContext": dict(POD_WALLS),
            "containers": [_container(component, settings)],
            "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}, *component.volumes],
            **({"imagePullSecrets": [{"name": one} for one in settings.pull_secrets]} if settings.pull_secrets else {}),
            **more,
        },
    }


def _container(component: Component, settings: Settings) -> KubeObject:
    return {
        "name": component.name,
        "image": settings.images.reference(component.image),
        "imagePullPolicy": settings.pull_policy,
        **({"args": list(component.arguments)} if component.arguments else {}),
        "env": [{"name": name, "value": value} for name, value in component.env.items()],
        "ports": [{"name": name, "containerPort": port} for name, port in component.ports.items()],
        **component.probes,
        "resources": component.bounds.document(),
        "securityContext": dict(CONTAINER_WALLS),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, *component.mounts],  # noqa: S108  the pod's own
    }


def deployment(component: Component, settings: Settings, **more: Any) -> KubeObject:
    """Several copies, on several nodes where there are some. A new one is ready before an old one goes."""
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": component.selector},
    }
    return named(
        "Deployment",
        component.full_name,
        settings,
        api="apps/v1",
        spec={
            "replicas": settings.replicas,
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": component.selector},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": template(component, settings, topologySpreadConstraints=[spread], **more),
        },
    )


def budget(component: Component, settings: Settings) -> KubeObject:
    """One copy stays when nodes are drained."""
    return named(
        "PodDisruptionBudget",
        component.full_name,
        settings,
        api="policy/v1",
        spec={"minAvailable": 1, "selector": {"matchLabels": component.selector}},
    )


def service(component: Component, settings: Settings, name: str, ports: Sequence[tuple[str, int, str]]) -> KubeObject:
    """``ports``: name, port, and the container's port by its name."""
    found = [{"name": port, "port": number, "targetPort": target} for port, number, target in ports]
    return named("Service", name, settings, spec={"selector": component.selector, "ports": found})
