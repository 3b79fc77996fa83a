"""The controller: reconciles runs and instances, and answers what the API server asks at admission."""

from __future__ import annotations

from typing import Final

from sympozium_controller.admission.configuration import NAME as ADMISSION, PORT as ADMISSION_PORT, SERVICE_PORT
from sympozium_controller.install import bus
from sympozium_controller.install.pods import Bounds, Component, account, budget, deployment, service
from sympozium_controller.install.roles import CONTROLLER
from sympozium_controller.install.settings import Settings
from sympozium_controller.names import PREFIX
from sympozium_protocol.kube.api import KubeObject

HEALTH_PORT: Final = 8080
_BUS_AT: Final = "/var/run/secrets/sympozium.ai/bus"
_TOKEN_FOR: Final = 3600
"""Seconds that its token for the bus is good; the kubelet renews it before."""


def controller(settings: Settings) -> Component:
    return Component(
        name=CONTROLLER.removeprefix(f"{PREFIX}-"),
        image="controller",
        bounds=Bounds("100m", "128Mi", "512Mi"),
        env={
            "SYMPOZIUM_SYSTEM_NAMESPACE": settings.namespace,
            "SYMPOZIUM_REGISTRY": settings.images.registry,
            "SYMPOZIUM_TAG": settings.images.tag,
            "SYMPOZIUM_PULL_POLICY": settings.pull_policy,
            "SYMPOZIUM_IMAGE_PULL_SECRETS": ",".join(settings.pull_secrets),
            "SYMPOZIUM_BUS": bus.url(settings),
            "SYMPOZIUM_BUS_CA_FILE": f"{_BUS_AT}/ca.crt",
            "SYMPOZIUM_BUS_TOKEN_FILE": f"{_BUS_AT}/token",
            "SYMPOZIUM_HEALTH_PORT": str(HEALTH_PORT),
            "SYMPOZIUM_ADMISSION_PORT": str(ADMISSION_PORT),
        },
        ports={"health": HEALTH_PORT, "admission": ADMISSION_PORT},
        probes={
            "startupProbe": {**_asked("/healthz"), "periodSeconds": 1, "failureThreshold": 120},
            "readinessProbe": {**_asked("/readyz"), "periodSeconds": 5},
            "livenessProbe": {**_asked("/healthz"), "periodSeconds": 10, "failureThreshold": 6, "timeoutSeconds": 5},
        },
        volumes=(_bus_volume(),),
        mounts=({"name": "bus", "mountPath": _BUS_AT, "readOnly": True},),
        speaks_to_cluster=True,
    )


def _asked(path: str) -> KubeObject:
    return {"httpGet": {"path": path, "port": "health"}}


def _bus_volume() -> KubeObject:
    token = {"path": "token", "audience": "sympozium-bus", "expirationSeconds": _TOKEN_FOR}
    authority = {"name": bus.AUTHORITY, "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    return {
        "name": "bus",
        "projected": {"defaultMode": 0o440, "sources": [{"serviceAccountToken": token}, {"configMap": authority}]},
    }


def documents(settings: Settings) -> tuple[KubeObject, ...]:
    """Its Deployment, and the Service that the API server asks."""
    component = controller(settings)
    return (
        account(component, settings),
        service(component, settings, ADMISSION, (("https", SERVICE_PORT, "admission"),)),
        deployment(component, settings),
        budget(component, settings),
    )
