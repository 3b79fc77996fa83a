"""Model gateways of a namespace: one for each provider, address and key that its instances name. Pure.

They alone have the key, and alone reach the provider. What a run calls is the gateway's service (``names``), so runs
and gateways agree without asking one another.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from sympozium_controller.lifecycle import services
from sympozium_controller.lifecycle.network import MODEL_CLASS
from sympozium_controller.lifecycle.plan import IN_POD, Place
from sympozium_controller.names import gateway_service, hashed
from sympozium_controller.objects import Provider, SympoziumInstance
from sympozium_controller.outfit import API_KEY
from sympozium_controller.providers import MODEL, PROVIDERS
from sympozium_controller.render.egress import egress_class
from sympozium_controller.urls import NO_ADDRESS, is_http
from sympozium_protocol.kube.api import KubeObject

GRACE: Final = 20
"""Seconds that completions in hand have to end; what takes longer stays started, and charged."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """As an instance names it."""

    namespace: str
    provider: str
    base_url: str
    secret: str

    @property
    def service(self) -> str:
        return gateway_service(self.namespace, self.provider, self.base_url, self.secret)

    @property
    def address(self) -> str:
        """The URL that the gateway speaks to; empty: the provider's own."""
        return self.base_url or PROVIDERS[self.provider].base_url

    @property
    def destinations(self) -> tuple[str, ...]:
        """What it must reach."""
        return (self.address or self.provider,)

    @property
    def egress(self) -> str:
        return egress_class(self.destinations) if self.address else MODEL_CLASS


def gateway_of(instance: SympoziumInstance, namespace: str) -> Gateway | None:
    """None: what thinks for it is in the pod, or nothing is named that could be."""
    provider = instance.spec.provider
    if provider is None or provider.name in IN_POD or provider.name not in PROVIDERS:
        return None
    return Gateway(namespace, provider.name, provider.base_url, provider.api_key_secret)


def fault_of(provider: Provider) -> tuple[str, str] | None:
    """Field and fault of a provider that no gateway can serve; None for one that it can."""
    known = PROVIDERS.get(provider.name)
    if known is None:
        return "spec.provider.name", f"unknown provider {provider.name[:80]!r}; known are {', '.join(PROVIDERS)}"
    if known.needs_url and not provider.base_url:
        return "spec.provider.baseURL", f"missing: {provider.name} has no address of its own"
    if provider.base_url and not is_http(provider.base_url):
        return "spec.provider.baseURL", NO_ADDRESS
    if not provider.base_url and known.base_url and _is_local(known.base_url):
        return "spec.provider.baseURL", f"missing: where {provider.name} is, as seen from the cluster's pods"
    if known.needs_key and (known.needs_url or not provider.base_url) and not provider.api_key_secret:
        return "spec.provider.apiKeySecret", f"missing: the Secret with the key for {provider.name}"
    return None


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def gateway(found: Gateway, owners: Iterable[Mapping[str, Any]], place: Place, version: str = "") -> KubeObject:
    """The Deployment of a gateway. ``version``: of the Secret, so that a new key is taken up."""
    known = PROVIDERS[found.provider]
    secrets = ((known.variable, found.secret, API_KEY),) if found.secret and known.variable else ()
    where = ("--base-url", found.address) if found.address else ()
    service = services.Service(
        name=found.service,
        participant=MODEL,
        image="model",
        command=(
            "sympozium-model",
            "--bus",
            *("--service", found.service, "--provider", known.gateway, *where),
            *("--namespace", found.namespace, "--grace", str(GRACE)),
        ),
        egress=found.egress,
        secrets=secrets,
        version=hashed(version) if version else "",
        resolves=True,
        grace=GRACE + 10,
    )
    return services.deployment(service, found.namespace, owners, place)


def wanted(
    instances: Iterable[SympoziumInstance], namespace: str
) -> dict[str, tuple[Gateway, list[SympoziumInstance]]]:
    """By service: the gateways of a namespace, and the instances that want each."""
    found: dict[str, tuple[Gateway, list[SympoziumInstance]]] = {}
    for one in sorted(instances, key=lambda one: one.name):
        named = gateway_of(one, namespace)
        if named and one.spec.provider and fault_of(one.spec.provider) is None:
            found.setdefault(named.service, (named, []))[1].append(one)
    return found
