"""What a skill must reach against what a policy lets it: ``kubernetes``, or CIDR:port. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

KUBERNETES: Final = "kubernetes"
"""The API server of the cluster, wherever it is."""
RULE: Final = "must be kubernetes or CIDR:port, such as 10.0.0.0/8:443 (a NetworkPolicy knows no host names)"

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Place:
    """Addresses and one port."""

    network: Network
    port: int


def place(text: str) -> Place | None:
    """CIDR:port, an IPv6 one in brackets or not; None for anything else."""
    address, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port[:6]) < 1 << 16:
        return None
    try:
        return Place(ipaddress.ip_network(address.strip("[]")), int(port))
    except ValueError:
        return None


def is_egress(text: str) -> bool:
    """Is this a word that can be enforced?"""
    return text == KUBERNETES or place(text) is not None


def reaches(wanted: str, allowed: Iterable[str]) -> bool:
    """Is ``wanted`` within one of ``allowed``? What cannot be read is within nothing."""
    if wanted == KUBERNETES:
        return wanted in allowed
    found = place(wanted)
    return found is not None and any(_within(found, one) for one in map(place, allowed) if one)


def _within(wanted: Place, allowed: Place) -> bool:
    if wanted.port != allowed.port:
        return False
    if isinstance(wanted.network, ipaddress.IPv4Network) and isinstance(allowed.network, ipaddress.IPv4Network):
        return wanted.network.subnet_of(allowed.network)
    if isinstance(wanted.network, ipaddress.IPv6Network) and isinstance(allowed.network, ipaddress.IPv6Network):
        return wanted.network.subnet_of(allowed.network)
    return False
