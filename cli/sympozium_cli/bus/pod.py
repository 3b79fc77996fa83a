"""What the bus adds to a pod: its address for the gate, and for no other program. Pure, but for reading the files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sympozium_cli.bus.named import BUS, CA_FILE, TOKEN_FILE, Bus
from sympozium_controller.pod import Pod, Program, SecretEnv
from sympozium_protocol.exits import Ended, Reason

FROM_BUS: Final = "the bus"
"""The ``secret`` of a file that a container is given of the bus."""
_IN_CONTAINER: Final = "/run/secrets"
_THIS_MACHINE: Final = "host.docker.internal"
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def on_bus(pod: Pod, bus: Bus | None, place: str) -> Pod:
    """The pod with a gate that knows the bus. ``place``: processes or compose. Raises Ended (Usage)."""
    if bus is None:
        return pod
    return replace(pod, bridge=_contained(pod.bridge, bus) if place == "compose" else _beside(pod.bridge, bus))


def values(bus: Bus | None, place: str) -> dict[SecretEnv, str]:
    """What containers are given as files. Raises Ended (BusRefused)."""
    if bus is None or place != "compose":
        return {}
    return {secret: _read(path) for secret, _, path in _files(bus)}


def _beside(bridge: Program, bus: Bus) -> Program:
    told = ((BUS, bus.url), *((name, path) for _, name, path in _files(bus)))
    return replace(bridge, env=(*bridge.env, *told))


def _contained(bridge: Program, bus: Bus) -> Program:
    url = seen_from_containers(bus.url)
    told = ((BUS, url), *((name, f"{_IN_CONTAINER}/{secret.variable}") for secret, name, _ in _files(bus)))
    secrets = tuple(secret for secret, _, _ in _files(bus))
    return replace(bridge, env=(*bridge.env, *told), secrets=(*bridge.secrets, *secrets), egress=(url,))


def seen_from_containers(url: str) -> str:
    """A server of this machine has another name there. Raises Ended (Usage)."""
    parts = urlsplit(url)
    if parts.hostname not in _LOOPBACK:
        return url
    if parts.scheme == "tls":
        why = "is the container itself there; name a host that its certificate names, and containers know"
        raise Ended(Reason.Usage, f"command line: --bus: {url}: {why}")
    return parts._replace(netloc=_THIS_MACHINE + (f":{parts.port}" if parts.port else "")).geturl()


def _files(bus: Bus) -> Iterator[tuple[SecretEnv, str, str]]:
    """(as a file of a container, the variable that names it, its path on this machine)"""
    for name, path in ((TOKEN_FILE, bus.token), (CA_FILE, bus.authorities)):
        if path:
            yield SecretEnv(name.removesuffix("_FILE"), FROM_BUS, name), name, path


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = (error.strerror or "").lower() if isinstance(error, OSError) else "is no text"
        raise Ended(Reason.BusRefused, f"{path}: {why}") from None
