"""What the controller is told by its environment."""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sympozium_controller.lifecycle.decide import Times
from sympozium_controller.lifecycle.plan import Place
from sympozium_controller.lifecycle.remembering import Keeping
from sympozium_controller.names import SYSTEM_NAMESPACE
from sympozium_controller.operator.lease import Terms
from sympozium_controller.render.kubernetes import Bus, Images
from sympozium_protocol.bus.settings import BusSettings, checked_url
from sympozium_protocol.exits import Ended, Reason

HELP: Final = """\
usage: sympozium-controller [--help]

Makes a Job of every AgentRun and tells in its status what became of it. It finds the API server by $KUBECONFIG,
~/.kube/config or the account of its pod, and is told by its environment:

  SYMPOZIUM_SYSTEM_NAMESPACE    where the Lease and the packs for all namespaces are (sympozium-system)
  SYMPOZIUM_WATCH_NAMESPACES    namespaces whose objects it serves, with commas (all)
  SYMPOZIUM_REGISTRY            where our images are (sympozium)
  SYMPOZIUM_TAG                 their tag (dev)
  SYMPOZIUM_PULL_POLICY         Always, IfNotPresent or Never (the cluster's choice)
  SYMPOZIUM_IMAGE_PULL_SECRETS  names of Secrets, with commas, that are in every namespace with runs
  SYMPOZIUM_BUS                 URL of the bus as pods reach it (none: a gate without a bus)
  SYMPOZIUM_BUS_CA_FILE         PEM file: who vouches for its certificate (the images' authorities)
  SYMPOZIUM_BUS_TOKEN_FILE      the token that the controller itself shows to the bus (none: the bus asks for none)
  SYMPOZIUM_BUS_ADDRESS         an IP address of its host, so that pods need no name server (that of the Service
                                which the URL names, where it does)
  SYMPOZIUM_MEMORY_SIZE         bytes of the volume of an instance's memory (1073741824)
  SYMPOZIUM_MEMORY_CLASS        the StorageClass of that volume (the cluster's default)
  SYMPOZIUM_MEMORY_IDLE         seconds after the last run that a memory is kept running (600)
  SYMPOZIUM_WORKERS             runs that are worked on at once (16)
  SYMPOZIUM_START_WITHIN        seconds that a pod which cannot begin is waited for (600)
  SYMPOZIUM_KEEP_JOBS           seconds that the Job of a finished run is kept, for its logs (3600)
  SYMPOZIUM_LEASE               name of the Lease (sympozium-controller)
  SYMPOZIUM_LEASE_SECONDS       after which another one takes over from one that is gone (15)
  SYMPOZIUM_HEALTH_HOST         address of /healthz, /readyz and /metrics (0.0.0.0)
  SYMPOZIUM_HEALTH_PORT         its port; 0: any, which the log then tells (8080)
  SYMPOZIUM_POD                 who it is in the Lease and in logs (the host's name)

It logs JSON lines on standard error and ends with 0 when it is told to (SIGTERM), else with the exit code of its
reason: 77 when the Lease was lost.
"""
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_POLICIES: Final = ("", "Always", "IfNotPresent", "Never")


@dataclass(frozen=True, slots=True)
class Settings:
    """``holder``: unlike any other's, and unlike our own of an earlier start."""

    system: str
    namespaces: tuple[str, ...]
    place: Place
    keeping: Keeping
    times: Times
    terms: Terms
    workers: int
    lease: str
    holder: str
    health: tuple[str, int]
    stream: BusSettings | None
    """The bus as the controller itself comes to it."""


def settings_of(environment: Mapping[str, str]) -> Settings:
    """Raises Ended (Usage) naming the variable."""
    said = _Said(environment)
    lasts = said.number("SYMPOZIUM_LEASE_SECONDS", 15, least=1)
    return Settings(
        system=said.name("SYMPOZIUM_SYSTEM_NAMESPACE", SYSTEM_NAMESPACE),
        namespaces=said.names("SYMPOZIUM_WATCH_NAMESPACES"),
        place=Place(
            images=Images(
                registry=environment.get("SYMPOZIUM_REGISTRY") or "sympozium",
                tag=environment.get("SYMPOZIUM_TAG") or "dev",
            ),
            bus=_bus(environment),
            pull_policy=said.one_of("SYMPOZIUM_PULL_POLICY", _POLICIES),
            pull_secrets=said.names("SYMPOZIUM_IMAGE_PULL_SECRETS"),
        ),
        keeping=Keeping(
            size=said.number("SYMPOZIUM_MEMORY_SIZE", 1 << 30, least=1 << 20),
            idle=said.number("SYMPOZIUM_MEMORY_IDLE", 600),
            storage_class=environment.get("SYMPOZIUM_MEMORY_CLASS", ""),
        ),
        times=Times(
            start_within=said.number("SYMPOZIUM_START_WITHIN", 600, least=1),
            keep_job=said.number("SYMPOZIUM_KEEP_JOBS", 3600),
        ),
        terms=Terms(lasts=lasts, give_up=lasts * 2 / 3, renew=lasts * 2 / 15),
        workers=said.number("SYMPOZIUM_WORKERS", 16, least=1),
        lease=said.name("SYMPOZIUM_LEASE", "sympozium-controller"),
        holder=f"{environment.get('SYMPOZIUM_POD') or socket.gethostname()}_{secrets.token_hex(4)}",
        health=(
            environment.get("SYMPOZIUM_HEALTH_HOST") or "0.0.0.0",  # noqa: S104  the kubelet probes the pod's address
            said.number("SYMPOZIUM_HEALTH_PORT", 8080),
        ),
        stream=_stream(environment),
    )


def _bus(environment: Mapping[str, str]) -> Bus | None:
    url = environment.get("SYMPOZIUM_BUS", "")
    if not url:
        return None
    path = environment.get("SYMPOZIUM_BUS_CA_FILE", "")
    try:
        ca = Path(path).read_text() if path else ""
    except (OSError, ValueError) as error:
        raise Ended(Reason.Usage, f"SYMPOZIUM_BUS_CA_FILE: {path}: {error}") from None
    return Bus(url=url, ca=ca, address=environment.get("SYMPOZIUM_BUS_ADDRESS", ""))


def _stream(environment: Mapping[str, str]) -> BusSettings | None:
    url = environment.get("SYMPOZIUM_BUS", "")
    token, ca = environment.get("SYMPOZIUM_BUS_TOKEN_FILE"), environment.get("SYMPOZIUM_BUS_CA_FILE")
    return BusSettings(checked_url(url), Path(token) if token else None, Path(ca) if ca else None) if url else None


class _Said:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def number(self, variable: str, usual: int, least: int = 0) -> int:
        text = self._environment.get(variable, "")
        if text and not (text.isascii() and text.isdecimal() and int(text) >= least):
            raise Ended(Reason.Usage, f"{variable}: must be a whole number, {least} or more")
        return int(text) if text else usual

    def name(self, variable: str, usual: str) -> str:
        found = self._environment.get(variable) or usual
        if not _NAME.fullmatch(found):
            raise Ended(Reason.Usage, f"{variable}: {found[:80]!r} is no name")
        return found

    def names(self, variable: str) -> tuple[str, ...]:
        found = (one.strip() for one in self._environment.get(variable, "").split(","))
        names = tuple(dict.fromkeys(filter(None, found)))
        for one in names:
            if not _NAME.fullmatch(one):
                raise Ended(Reason.Usage, f"{variable}: {one[:80]!r} is no name")
        return names

    def one_of(self, variable: str, known: tuple[str, ...]) -> str:
        found = self._environment.get(variable, "")
        if found not in known:
            raise Ended(Reason.Usage, f"{variable}: must be one of {', '.join(filter(None, known))}")
        return found


def from_environment() -> Settings:
    """Raises Ended (Usage)."""
    return settings_of(os.environ)
