"""Services of the bus that a cluster keeps beside its runs: what their Deployments have in common. Pure.

One pod, with an account that has no right, the walls of a run's pod, and its own token for the bus. Whoever the pod
serves calls it by the service's name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from sympozium_controller.lifecycle.plan import Place
from sympozium_controller.names import (
    LABEL_EGRESS,
    LABEL_MANAGED_BY,
    LABEL_PARTICIPANT,
    LABEL_SERVICE,
    MANAGED_BY,
    PREFIX,
    deployment_name,
)
from sympozium_controller.objects import SympoziumInstance
from sympozium_controller.render.bounds import BOUNDS, TMP_SIZE
from sympozium_controller.render.images import UID
from sympozium_controller.render.kubernetes.credentials import BUS, CA_ANNOTATION, READABLE, SECRETS
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.labels import LABEL_SHARED
from sympozium_protocol.kube.resources import DEPLOYMENTS, INSTANCES

ACCOUNT: Final = f"{PREFIX}-service"
"""The ServiceAccount of all services of a namespace. It has no rights: it is somebody to the bus alone."""
DIGEST: Final = "sympozium.ai/digest"
"""Annotation: SHA-256 over the document that was applied. Another digest: it is applied again."""
SERVICES: Final = f"{LABEL_MANAGED_BY}={MANAGED_BY},{LABEL_SERVICE}"
"""Selects the Deployments and pods of services."""
TOKEN_SECONDS: Final = 3600
"""A connection ends with its token, and the next is made with the one that the kubelet has put there by then."""
TMP: Final = "/tmp"  # noqa: S108  a private volume of the container


@dataclass(frozen=True, slots=True)
class Service:
    """What is particular to one. ``secrets``: (variable, Secret, key). ``version``: pods are made anew when it changes.

    ``resolves``: it asks name servers. ``claim``: the PersistentVolumeClaim at ``claimed``. ``grace``: seconds to end.
    """

    name: str
    participant: str
    image: str
    command: tuple[str, ...]
    egress: str
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[tuple[str, str, str], ...] = ()
    version: str = ""
    resolves: bool = False
    claim: str = ""
    claimed: str = ""
    replicas: int = 1
    grace: int = 30


def deployment(service: Service, namespace: str, owners: Iterable[Mapping[str, Any]], place: Place) -> KubeObject:
    """The document to apply. It is gone with the last of ``owners``, which are references to instances."""
    labels = {LABEL_MANAGED_BY: MANAGED_BY, LABEL_SERVICE: service.name, LABEL_PARTICIPANT: service.participant}
    document: KubeObject = {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "metadata": {
            "name": deployment_name(service.name),
            "namespace": namespace,
            "labels": labels,
            "ownerReferences": [dict(owner) for owner in owners],
        },
        "spec": {
            "replicas": service.replicas,
            "revisionHistoryLimit": 1,
            # a volume has one owner; of a gateway the new one is there before the old one goes
            "strategy": {"type": "Recreate"} if service.claim else _rolling(),
            "selector": {"matchLabels": {LABEL_SERVICE: service.name}},
            "template": {
                "metadata": {
                    "labels": {**labels, LABEL_EGRESS: service.egress},
                    "annotations": _annotations(service, place),
                },
                "spec": _pod(service, place),
            },
        },
    }
    document["metadata"]["annotations"] = {DIGEST: digest(document)}
    return document


def digest(document: KubeObject) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _rolling() -> dict[str, Any]:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


def _annotations(service: Service, place: Place) -> dict[str, str]:
    ca = {CA_ANNOTATION: place.bus.ca} if place.bus and place.bus.ca else {}
    return {**ca, **({"sympozium.ai/version": service.version} if service.version else {})}


def _pod(service: Service, place: Place) -> dict[str, Any]:
    return {
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": service.grace,
        **_network(service, place),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": UID,
            "runAsGroup": UID,
            "fsGroup": UID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(service, place)],
        "volumes": list(_volumes(service, place)),
        **({"imagePullSecrets": [{"name": name} for name in place.pull_secrets]} if place.pull_secrets else {}),
    }


def _network(service: Service, place: Place) -> dict[str, Any]:
    """Names are a way out: who reaches the bus alone is told its address, and asks nobody."""
    bus = place.bus
    host = urlsplit(bus.url).hostname if bus else None
    found: dict[str, Any] = {}
    if bus and bus.address and host and host != bus.address:
        found["hostAliases"] = [{"ip": bus.address, "hostnames": [host]}]
    if not service.resolves and bus and bus.address:
        found |= {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["127.0.0.1"]}}
    return found


def _container(service: Service, place: Place) -> dict[str, Any]:
    env = {"HOME": TMP, "TMPDIR": TMP, **_bus_env(place), **service.env}
    if service.secrets:
        env["SYMPOZIUM_SECRETS"] = SECRETS
    found: dict[str, Any] = {
        "name": service.participant,
        "image": place.images.reference(service.image),
        "args": [_literal(word) for word in service.command],
        "workingDir": TMP,
        "env": [{"name": name, "value": _literal(value)} for name, value in env.items()],
        "volumeMounts": list(_mounts(service, place)),
        "resources": _resources(service),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    return found | ({"imagePullPolicy": place.pull_policy} if place.pull_policy else {})


def _literal(value: str) -> str:
    """The kubelet puts variables in where it finds $(NAME); $$ is a dollar."""
    return value.replace("$", "$$")


def _bus_env(place: Place) -> dict[str, str]:
    if place.bus is None:
        return {}
    ca = {"SYMPOZIUM_BUS_CA_FILE": f"{BUS}/ca.crt"} if place.bus.ca else {}
    return {"SYMPOZIUM_BUS": place.bus.url, "SYMPOZIUM_BUS_TOKEN_FILE": f"{BUS}/token", **ca}


def _resources(service: Service) -> dict[str, dict[str, str]]:
    bound = BOUNDS[service.participant]
    disk = TMP_SIZE + (64 << 20)
    return {
        "requests": {
            "cpu": "20m",
            "memory": "96Mi",
            "ephemeral-storage": "16Mi",
        },
        "limits": {
            "cpu": f"{round(bound.cpu * 1000)}m",
            "memory": _amount(bound.memory),
            "ephemeral-storage": _amount(disk),
        },
    }


def _amount(size: int) -> str:
    return f"{size >> 20}Mi"


def _mounts(service: Service, place: Place) -> Iterable[dict[str, Any]]:
    yield {"name": "tmp", "mountPath": TMP}
    if place.bus:
        yield {"name": "bus", "mountPath": BUS, "readOnly": True}
    if service.secrets:
        yield {"name": "secrets", "mountPath": SECRETS, "readOnly": True}
    if service.claim:
        yield {"name": "claim", "mountPath": service.claimed}


def _volumes(service: Service, place: Place) -> Iterable[dict[str, Any]]:
    yield {"name": "tmp", "emptyDir": {"sizeLimit": _amount(TMP_SIZE)}}
    if place.bus:
        token = {"audience": place.bus.audience, "expirationSeconds": TOKEN_SECONDS, "path": "token"}
        ca = {"path": "ca.crt", "fieldRef": {"fieldPath": f"metadata.annotations['{CA_ANNOTATION}']"}}
        sources: list[dict[str, Any]] = [{"serviceAccountToken": token}]
        sources += [{"downwardAPI": {"items": [ca]}}] if place.bus.ca else []
        yield {"name": "bus", "projected": {"defaultMode": READABLE, "sources": sources}}
    if service.secrets:
        yield {"name": "secrets", "projected": {"defaultMode": READABLE, "sources": _secret_sources(service)}}
    if service.claim:
        yield {"name": "claim", "persistentVolumeClaim": {"claimName": service.claim}}


def _secret_sources(service: Service) -> list[dict[str, Any]]:
    return [
        {"secret": {"name": secret, "items": [{"key": key, "path": variable}]}}
        for variable, secret, key in service.secrets
    ]


def account(namespace: str) -> KubeObject:
    """The ServiceAccount, to be created once in a namespace."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": ACCOUNT,
            "namespace": namespace,
            "labels": {LABEL_MANAGED_BY: MANAGED_BY, LABEL_SHARED: "true"},
        },
        "automountServiceAccountToken": False,
    }


def owner(instance: SympoziumInstance) -> dict[str, Any]:
    """The reference by which an instance owns what serves it. Several may own one object: it goes with the last."""
    return {
        "apiVersion": INSTANCES.api_version,
        "kind": INSTANCES.kind,
        "name": instance.name,
        "uid": instance.metadata.uid,
    }
