"""What a skill must reach against what a policy lets it: ``kubernetes``, or CIDR:port. Pure."""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
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

    @property
    def door(self) -> tuple[int, int]:
        """Version of IP and port: places of different ones have nothing in common."""
        return self.network.version, self.port

    @property
    def bounds(self) -> tuple[int, int]:
        """The first and the last address."""
        return int(self.network.network_address), int(self.network.broadcast_address)


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


class Wanted:
    """A place that a skill must reach, read once for all policies."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.place = place(word)


class Reach:
    """What a list of a policy allows, read once: skills may name thousands of places. What cannot be read is nothing.

    Of two networks one is in the other or they have nothing in common. So those that are in no other stand in order,
    and of all of them only the last that begins before a place can hold it.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        words = frozenset(allowed)
        self._kubernetes = KUBERNETES in words
        self._bounds: dict[tuple[int, int], list[tuple[int, int]]] = {}
        found = sorted(filter(None, map(place, words)), key=lambda one: (one.door, one.bounds[0], -one.bounds[1]))
        for one in found:
            known = self._bounds.setdefault(one.door, [])
            if not known or known[-1][1] < one.bounds[0]:
                known.append(one.bounds)

    def has(self, wanted: Wanted) -> bool:
        """Is it within one of what is allowed? A word that cannot be read is within nothing."""
        if wanted.word == KUBERNETES:
            return self._kubernetes
        if wanted.place is None:
            return False
        (first, last), known = wanted.place.bounds, self._bounds.get(wanted.place.door, [])
        at = bisect_right(known, first, key=lambda one: one[0]) - 1
        return at >= 0 and last <= known[at][1]
