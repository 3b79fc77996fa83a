"""Ports of this machine, for servers that tests start."""

from __future__ import annotations

import socket


def free_port() -> int:
    """One that nobody listens on at this moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def connects(port: int) -> bool:
    """Does somebody listen there?"""
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
