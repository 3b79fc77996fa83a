"""May the agent connect to this address? Pure; judged is the address itself, never a name."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_METADATA: Final = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # most clouds
        "169.254.170.2",  # container credentials
        "100.100.100.200",
        "168.63.129.16",  # a public address that is the host's own wire server
        "192.0.0.192",
        "fd00:ec2::254",
    )
)
"""Where clouds hand out credentials: never fetched from, whatever a run allows."""

_GLOBAL_6: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_TUNNELS: Final = (IPv6Network("2002::/16"), IPv6Network("2001::/32"))  # 6to4, Teredo: lead to any IPv4 address
_SPECIAL_4: Final = IPv4Network("192.0.0.0/24")
_PRIVATE_4: Final = tuple(
    IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "100.64.0.0/10")
)
_PRIVATE_6: Final = (IPv6Network("fc00::/7"), IPv6Network("::1/128"))


def fault_of_address(text: str, *, private: bool) -> str | None:
    """Why the agent must not connect to this address, in words; None when it may.

    ``private`` allows loopback, private and shared ranges; link-local, metadata, multicast,
    unspecified and reserved ones are never allowed.
    """
    try:
        address = _meant(ip_address(text))
    except ValueError:
        return "is no address"
    if address in _METADATA:
        return "is a metadata service"
    if _is_private(address):
        return None if private else "is a loopback or private address"
    return None if _is_public(address) else "is a link-local, multicast or reserved address"


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The address that packets reach: IPv4 behind a mapped or translated IPv6 address."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_private(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return any(address in network for network in _PRIVATE_4)
    return any(address in network for network in _PRIVATE_6)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if address.is_multicast or address.is_reserved or address.is_link_local or address.is_unspecified:
        return False
    if isinstance(address, IPv4Address):
        return address.is_global and address not in _SPECIAL_4
    return address.is_global and address in _GLOBAL_6 and not any(address in network for network in _TUNNELS)
