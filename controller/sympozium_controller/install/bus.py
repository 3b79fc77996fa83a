"""The bus of a cluster: its server, its keeper, and the Job that makes their keys once.

The Secrets are made empty by whoever installs, so that the Job needs no right to create any: it may change these, by
their names, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

from sympozium_controller.install.pods import (
    Bounds,
    Component,
    account,
    budget,
    deployment,
    named,
    service,
    template,
)
from sympozium_controller.install.roles import KEEPER, rule
from sympozium_controller.install.settings import Settings
from sympozium_controller.names import PREFIX
from sympozium_protocol.kube.api import KubeObject

PORT: Final = 4222
SERVICE: Final = f"{PREFIX}-bus"
KEYS: Final = f"{PREFIX}-bus-keys"
"""The keeper's keys: whoever has them lets in whom they like."""
SERVER: Final = f"{PREFIX}-bus-server"
"""Accounts, certificate and key of the server."""
AUTHORITY: Final = f"{PREFIX}-bus-ca"
"""ConfigMap: whom the server's certificate comes from. Public."""
_SEEDS: Final = ("issuer", "auth", "keeper", "system")
_RBAC: Final = "rbac.authorization.k8s.io/v1"
_ACCESS: Final = "/etc/nats/access"
_KEYS_AT: Final = "/var/run/secrets/sympozium.ai/keys"
_READY: Final = "/tmp/ready"  # noqa: S108  the pod's own


def url(settings: Settings) -> str:
    """Where programs of the cluster find it."""
    return f"tls://{SERVICE}.{settings.namespace}.svc:{PORT}"


def server(settings: Settings) -> Component:
    """NATS with JetStream. One copy: what is acknowledged is on its disk."""
    reached = {"tcpSocket": {"port": "clients"}}
    return Component(
        name="bus",
        image="nats",
        bounds=Bounds("100m", "128Mi", "512Mi"),
        env={"NATS_STORE": str(settings.store)},
        ports={"clients": PORT},
        probes={
            "startupProbe": {**reached, "periodSeconds": 1, "failureThreshold": 120},
            "readinessProbe": {**reached, "periodSeconds": 5},
            "livenessProbe": {**reached, "periodSeconds": 10, "failureThreshold": 6},
        },
        volumes=(
            {"name": "access", "secret": {"secretName": SERVER, "defaultMode": 0o440}},
            {"name": "data", **_data(settings)},
        ),
        mounts=(
            {"name": "access", "mountPath": _ACCESS, "readOnly": True},
            {"name": "data", "mountPath": "/data"},
        ),
    )


def _data(settings: Settings) -> KubeObject:
    if settings.bus_storage is None:
        return {"emptyDir": {"sizeLimit": str(settings.store + (256 << 20))}}
    return {"persistentVolumeClaim": {"claimName": SERVICE}}


def keeper(settings: Settings) -> Component:
    """Who may say and hear what."""
    return Component(
        name=KEEPER.removeprefix(f"{PREFIX}-"),
        image="bus-auth",
        bounds=Bounds("50m", "96Mi", "256Mi"),
        arguments=(
            "program",
            "serve",
            "--cluster",
            "--keys",
            _KEYS_AT,
            "--size",
            str(settings.store),
            "--ready",
            _READY,
        ),
        env={
            "SYMPOZIUM_BUS": url(settings),
            "SYMPOZIUM_BUS_CA_FILE": f"{_KEYS_AT}/ca.crt",
            "SYMPOZIUM_SYSTEM_NAMESPACE": settings.namespace,
        },
        probes={"readinessProbe": {"exec": {"command": ["python3", "-c", _LOOK]}, "periodSeconds": 5}},
        volumes=({"name": "keys", "secret": _keepers()},),
        mounts=({"name": "keys", "mountPath": _KEYS_AT, "readOnly": True},),
        speaks_to_cluster=True,
    )


_LOOK: Final = f"import os; os.stat('{_READY}')"


def _keepers() -> KubeObject:
    """Its seeds, and whom to believe: the authority's own key stays in the Secret."""
    files = (*(f"{name}.seed" for name in _SEEDS), "ca.crt")
    return {"secretName": KEYS, "defaultMode": 0o440, "items": [{"key": file, "path": file} for file in files]}


def keys(settings: Settings) -> Component:
    """Makes what the two need to know each other by, where it is not there."""
    return Component(
        name="bus-keys",
        image="bus-auth",
        bounds=Bounds("50m", "96Mi", "256Mi"),
        arguments=("program", "keys", "--into-secrets"),
        env={"SYMPOZIUM_BUS": url(settings), "SYMPOZIUM_SYSTEM_NAMESPACE": settings.namespace},
        speaks_to_cluster=True,
    )


def keys_documents(settings: Settings) -> tuple[KubeObject, ...]:
    """The Secrets and the Job that fills them."""
    component = keys(settings)
    name = component.full_name
    subject = {"kind": "ServiceAccount", "name": name, "namespace": settings.namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    rules = [
        rule("", ("secrets",), ("get", "patch", "update"), (KEYS, SERVER)),
        rule("", ("configmaps",), ("get", "patch", "update"), (AUTHORITY,)),
    ]
    return (
        account(component, settings),
        named("Role", name, settings, api=_RBAC, rules=rules),
        named("RoleBinding", name, settings, api=_RBAC, roleRef=reference, subjects=[subject]),
        named("Secret", KEYS, settings),
        named("Secret", SERVER, settings),
        named("ConfigMap", AUTHORITY, settings),
        _job(component, settings),
    )


def _job(component: Component, settings: Settings) -> KubeObject:
    """Its name has a hash: a Job does not change, and another one is harmless where the keys are there."""
    found = template(component, settings, restartPolicy="OnFailure")
    digest = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:10]
    spec = {"backoffLimit": 6, "activeDeadlineSeconds": 600, "template": found}
    return named("Job", f"{component.full_name}-{digest}", settings, api="batch/v1", spec=spec)


def server_documents(settings: Settings) -> tuple[KubeObject, ...]:
    """The server, its volume, and where it is found."""
    component = server(settings)
    claim = (_claim(settings),) if settings.bus_storage is not None else ()
    return (
        account(component, settings),
        *claim,
        service(component, settings, SERVICE, (("clients", PORT, "clients"),)),
        named(
            "StatefulSet",
            component.full_name,
            settings,
            api="apps/v1",
            spec={
                "replicas": 1,
                "serviceName": SERVICE,
                "revisionHistoryLimit": 3,
                "selector": {"matchLabels": component.selector},
                "template": template(component, settings, terminationGracePeriodSeconds=30),
            },
        ),
    )


def _claim(settings: Settings) -> KubeObject:
    """A claim of its own and no template of the StatefulSet's: that could never be made larger."""
    named_class = {"storageClassName": settings.bus_storage_class} if settings.bus_storage_class else {}
    resources = {"requests": {"storage": str(settings.bus_storage)}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": resources, **named_class}
    return named("PersistentVolumeClaim", SERVICE, settings, spec=spec)


def access(settings: Settings) -> tuple[KubeObject, ...]:
    """Everybody whom the cluster knows may have a connection to the server's port, and know whom to believe there:
    who somebody is on the bus, and what they may do, is between them and the keeper."""
    name = f"{SERVICE}-access"
    rules = [
        rule("", ("pods/portforward",), ("create", "get"), (f"{SERVICE}-0",)),
        rule("", ("configmaps",), ("get",), (AUTHORITY,)),
    ]
    group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    return (
        named("Role", name, settings, api=_RBAC, rules=rules),
        named("RoleBinding", name, settings, api=_RBAC, roleRef=reference, subjects=[group]),
    )


def keeper_documents(settings: Settings) -> tuple[KubeObject, ...]:
    component = keeper(settings)
    return account(component, settings), deployment(component, settings), budget(component, settings)
