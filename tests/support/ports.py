"""Ports of this machine, for servers that tests start."""

from __future__ import annotations

import random
import socket
from pathlib import Path


def free_port() -> int:
    """One that nobody listens on at this moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def lasting_port() -> int:
    """One that stays free while its server is away: the kernel gives it to no connection.

    A client that tries again and again could otherwise, on loopback, be connected with itself.
    """
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", random.randrange(max(1024, first - 20_000), first)))
            except OSError:
                continue
            return int(tried.getsockname()[1])


def connects(port: int) -> bool:
    """Does somebody listen there?"""
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
