"""NetworkPolicies of a namespace: nothing comes in to our pods, and out of them what their egress class says. Pure.

One policy lets every pod of ours reach the bus; one further policy for each class that there is. They add up, and a pod
of the class ``none`` has the first alone: it cannot even ask a name server. A policy tells in an annotation what it is
made from, so that it can be made anew when the API server moves.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from sympozium_controller.names import LABEL_COMPONENT, LABEL_EGRESS, LABEL_MANAGED_BY, MANAGED_BY, PREFIX
from sympozium_controller.render.egress import KUBERNETES, NONE, egress_class
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.labels import LABEL_SHARED, SYSTEM_NAMESPACE
from sympozium_protocol.kube.resources import NETWORK_POLICIES

BASE: Final = f"{PREFIX}-bus"
"""The policy of all pods of ours."""
MODEL_CLASS: Final = "model"
"""Gateways to a provider at its own address."""
DESTINATIONS: Final = "sympozium.ai/destinations"
"""Annotation: what the class of this policy may reach, as JSON."""
ANYWHERE: Final = "*"
POLICIES: Final = f"{LABEL_MANAGED_BY}={MANAGED_BY},{LABEL_SHARED}"
"""Selects our policies."""

_BUS: Final = {"app.kubernetes.io/name": PREFIX, LABEL_COMPONENT: "bus"}
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_NAMESPACE: Final = "kubernetes.io/metadata.name"
_LINK_LOCAL: Final = ("169.254.0.0/16", "fe80::/10")
"""Where clouds answer whoever asks with the credentials of the node."""
_INSIDE: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "fc00::/7")
_NAME_SERVER_OF_NODE: Final = "169.254.20.10/32"
"""NodeLocal DNSCache, where a cluster has it."""

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Around:
    """What policies name besides the pods. ``api``: (address, port) of the API server, of its Service as well."""

    system: str = SYSTEM_NAMESPACE
    bus_port: int = 4222
    api: tuple[tuple[str, int], ...] = field(default=())


def around(slices: Iterable[KubeObject], service: KubeObject | None, system: str = SYSTEM_NAMESPACE) -> Around:
    """From the EndpointSlices of default/kubernetes and that Service. Some networks look before a Service's address is
    replaced, some after."""
    found = {
        (address, port["port"])
        for one in slices
        for endpoint in one.get("endpoints") or ()
        for address in endpoint.get("addresses") or ()
        for port in one.get("ports") or ()
    }
    spec = (service or {}).get("spec", {})
    ips = [ip for ip in spec.get("clusterIPs") or [spec.get("clusterIP")] if ip and ip != "None"]
    found |= {(ip, port["port"]) for ip in ips for port in spec.get("ports") or ()}
    return Around(system=system, api=tuple(sorted(found)))


def base(namespace: str, where: Around) -> KubeObject:
    """Of every pod with an egress class: nothing comes in, and the bus can be reached."""
    bus = {
        "to": [
            {
                "namespaceSelector": {"matchLabels": {_NAMESPACE: where.system}},
                "podSelector": {"matchLabels": _BUS},
            }
        ],
        "ports": [_port(where.bus_port)],
    }
    selector = {"matchExpressions": [{"key": LABEL_EGRESS, "operator": "Exists"}]}
    return _policy(namespace, BASE, selector, [bus], ())


def of_class(namespace: str, destinations: Iterable[str], where: Around, name: str = "") -> KubeObject | None:
    """The policy of a class, named like it unless ``name`` says otherwise; None for one that reaches the bus alone."""
    wanted = tuple(sorted(set(destinations)))
    found = name or egress_class(wanted)
    if found == NONE:
        return None
    rules = [rule for one in wanted for rule in _rules(one, where)]
    if any(map(_names, wanted)):
        rules.append(_NAME_SERVERS)
    return _policy(namespace, f"{PREFIX}-egress-{found}", {"matchLabels": {LABEL_EGRESS: found}}, rules, wanted)


def again(existing: KubeObject, where: Around) -> KubeObject | None:
    """The same policy as it should be now; None for one that is none of ours, or where what it says of itself was
    written over."""
    metadata = existing["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    if name == BASE:
        return base(namespace, where)
    try:
        told = json.loads((metadata.get("annotations") or {}).get(DESTINATIONS, ""))
    except ValueError:
        return None
    if not isinstance(told, list) or not name.startswith(f"{PREFIX}-egress-"):
        return None
    try:
        return of_class(namespace, [str(one) for one in told], where, name.removeprefix(f"{PREFIX}-egress-"))
    except ValueError:  # no URL
        return None


def _policy(
    namespace: str, name: str, selector: dict[str, Any], rules: list[dict[str, Any]], destinations: tuple[str, ...]
) -> KubeObject:
    return {
        "apiVersion": NETWORK_POLICIES.api_version,
        "kind": NETWORK_POLICIES.kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {LABEL_MANAGED_BY: MANAGED_BY, LABEL_SHARED: "true"},
            "annotations": {DESTINATIONS: json.dumps(destinations)},
        },
        "spec": {
            "podSelector": selector,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [],
            "egress": rules,
        },
    }


def _rules(destination: str, where: Around) -> Iterator[dict[str, Any]]:
    """What a destination opens. ``*`` is everything outside of the cluster; a name stands for its port, anywhere."""
    if destination == KUBERNETES:
        for address, port in where.api:
            yield {"to": [_block(_host(address))], "ports": [_port(port)]}
    elif destination == ANYWHERE:
        yield {"to": _public(), "ports": [{"protocol": "TCP"}]}
    elif (found := _place(destination)) is not None:
        network, port = found
        yield {"to": [_block(network)], **({"ports": [_port(port)]} if port else {})}
    elif "://" in destination:
        yield {"to": _anywhere(), "ports": [_port(_url_port(destination))]}
    else:  # a provider at its own address
        yield {"to": _public(), "ports": [_port(443)]}


def _names(destination: str) -> bool:
    """Must a name be looked up for it?"""
    return destination != KUBERNETES and _place(destination) is None


def _place(destination: str) -> tuple[Network, int] | None:
    """CIDR, CIDR:port, or a URL of an address; port 0: all."""
    if "://" in destination:
        host = urlsplit(destination).hostname or ""
        network = _network(host)
        return (network, _url_port(destination)) if network else None
    if whole := _network(destination):
        return whole, 0
    address, _, port = destination.rpartition(":")
    network = _network(address.strip("[]"))
    return (network, int(port)) if network and port.isdecimal() and 0 < int(port) < 1 << 16 else None


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _host(address: str) -> Network:
    return ipaddress.ip_network(address)


def _url_port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or _PORTS.get(parts.scheme, 443)


def _block(network: Network) -> dict[str, Any]:
    return {"ipBlock": {"cidr": str(network)}}


def _public() -> list[dict[str, Any]]:
    return _without((*_INSIDE, *_LINK_LOCAL))


def _anywhere() -> list[dict[str, Any]]:
    return _without(_LINK_LOCAL)


def _without(ranges: Iterable[str]) -> list[dict[str, Any]]:
    excepted = list(ranges)
    return [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": [one for one in excepted if ":" not in one]}},
        {"ipBlock": {"cidr": "::/0", "except": [one for one in excepted if ":" in one]}},
    ]


def _port(number: int) -> dict[str, Any]:
    return {"protocol": "TCP", "port": number}


_NAME_SERVERS: Final[dict[str, Any]] = {
    "to": [
        {"namespaceSelector": {"matchLabels": {_NAMESPACE: "kube-system"}}},
        {"ipBlock": {"cidr": _NAME_SERVER_OF_NODE}},
    ],
    "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
}
