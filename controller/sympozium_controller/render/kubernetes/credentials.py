"""Who holds what: tokens and secrets are files, each in the containers that need it and in no other. Pure.

The API server's token is for programs with an identity, the bus's for the bridge, a secret for the program that names
it; the agent has none of them. Nothing of this is a variable: those are seen by whoever may read the pod.
"""

from __future__ import annotations

from typing import Any, Final

from sympozium_controller.pod import Pod, Program
from sympozium_controller.render.kubernetes.limited import label
from sympozium_controller.render.kubernetes.where import Bus, InCluster

ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where every client of Kubernetes looks."""
BUS: Final = "/var/run/secrets/sympozium.ai/bus"
SECRETS: Final = "/var/run/secrets/sympozium.ai/env"
CA_ANNOTATION: Final = "sympozium.ai/bus-ca"

TOKEN_SECONDS: Final = 600
"""The shortest that there is. The kubelet renews it in time, and it ends with the pod."""
READABLE: Final = 0o440
"""By the pod's group: files of these volumes are root's."""


def of_bridge(where: InCluster) -> dict[str, str]:
    """What the bridge is told of the bus; without one it is a gate and nothing else."""
    if where.bus is None:
        return {}
    ca = {"SYMPOZIUM_BUS_CA_FILE": f"{BUS}/ca.crt"} if where.bus.ca else {}
    return {"SYMPOZIUM_BUS": where.bus.url, "SYMPOZIUM_BUS_TOKEN_FILE": f"{BUS}/token", **ca}


def of_program(program: Program) -> dict[str, str]:
    return {"SYMPOZIUM_SECRETS": SECRETS} if program.secrets else {}


def of_pod(where: InCluster) -> dict[str, str]:
    """The bus's authorities travel with the pod, as the RunSpec does."""
    return {CA_ANNOTATION: where.bus.ca} if where.bus and where.bus.ca else {}


def mounts(program: Program, pod: Pod, where: InCluster) -> list[dict[str, Any]]:
    found = []
    if program.identity:
        found.append(_mounted("account", ACCOUNT))
    if program is pod.bridge and where.bus:
        found.append(_mounted("bus", BUS))
    if program.secrets:
        found.append(_mounted(_secrets(program), SECRETS))
    return found


def volumes(pod: Pod, where: InCluster) -> list[dict[str, Any]]:
    programs = (pod.agent, pod.bridge, *pod.participants)
    found = [_projected(_secrets(one), _secret_sources(one)) for one in programs if one.secrets]
    if where.bus:
        found.append(_projected("bus", _bus_sources(where.bus)))
    if any(one.identity for one in programs):
        found.append(_projected("account", _account_sources()))
    return found


def _secrets(program: Program) -> str:
    return label(f"secrets-{program.name}")


def _mounted(volume: str, path: str) -> dict[str, Any]:
    return {"name": volume, "mountPath": path, "readOnly": True}


def _projected(name: str, sources: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "projected": {"defaultMode": READABLE, "sources": sources}}


def _secret_sources(program: Program) -> list[dict[str, Any]]:
    names = dict.fromkeys(one.secret for one in program.secrets)
    if "" in names:
        raise ValueError(f"{program.name}: a secret without a name is nowhere in a cluster")
    return [
        {
            "secret": {
                "name": name,
                "items": [{"key": one.key, "path": one.variable} for one in program.secrets if one.secret == name],
            }
        }
        for name in names
    ]


def _bus_sources(bus: Bus) -> list[dict[str, Any]]:
    token = {"audience": bus.audience, "expirationSeconds": TOKEN_SECONDS, "path": "token"}
    ca = {"path": "ca.crt", "fieldRef": {"fieldPath": f"metadata.annotations['{CA_ANNOTATION}']"}}
    found: list[dict[str, Any]] = [{"serviceAccountToken": token}]
    return [*found, {"downwardAPI": {"items": [ca]}}] if bus.ca else found


def _account_sources() -> list[dict[str, Any]]:
    """The three files of a ServiceAccount, with a token that is bound to the pod."""
    namespace = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
    return [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]
