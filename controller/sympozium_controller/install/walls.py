"""What may reach the pods of the system namespace, and what these may reach.

Egress of controller and keeper is open: the API server is at an address that a NetworkPolicy cannot name, and both are
ours alone. The server of the bus speaks to nobody who did not ask.
"""

from __future__ import annotations

from collections.abc import Sequence

from sympozium_controller.install import bus, control
from sympozium_controller.install.pods import Component, named
from sympozium_controller.install.settings import Settings
from sympozium_protocol.kube.api import KubeObject


def documents(settings: Settings) -> tuple[KubeObject, ...]:
    """Nothing comes in but what is named here."""
    return (
        named(
            "NetworkPolicy",
            "sympozium-closed",
            settings,
            api="networking.k8s.io/v1",
            spec={"podSelector": {}, "policyTypes": ["Ingress"]},
        ),
        _open(bus.server(settings), settings, ("clients",), egress=False),
        # the API server is no pod: from anywhere
        _open(control.controller(settings), settings, ("admission", "health")),
    )


def _open(component: Component, settings: Settings, ports: Sequence[str], *, egress: bool = True) -> KubeObject:
    opened = [{"protocol": "TCP", "port": component.ports[name]} for name in ports]
    spec: KubeObject = {
        "podSelector": {"matchLabels": component.selector},
        "policyTypes": ["Ingress"] if egress else ["Ingress", "Egress"],
        "ingress": [{"ports": opened}],
    }
    return named("NetworkPolicy", component.full_name, settings, api="networking.k8s.io/v1", spec=spec)
