"""What the renderer is told about the place: names, marks, and what is there already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sympozium_controller.names import RUN_ACCOUNT


@dataclass(frozen=True, slots=True)
class Owner:
    """The object that the documents are gone with."""

    api_version: str
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Bus:
    """The bus as the run's bridge reaches it.

    ``ca``: PEM, of the server's certificate; empty: the image's own authorities. ``address``: an IP of the URL's host;
    where it is known, and nothing else is to be reached, the pod asks no name server at all.
    """

    url: str
    audience: str = "sympozium-bus"
    ca: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class InCluster:
    """``job``: the name of the Job. ``account``: the pod's ServiceAccount, whose short token only programs with an
    identity have. ``deadline``: seconds until the cluster ends the Job, 0: never. ``pull_policy``: empty: the cluster's
    own choice."""

    namespace: str
    job: str
    account: str = RUN_ACCOUNT
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owner: Owner | None = None
    bus: Bus | None = None
    attempt: int = 1
    deadline: int = 0
    pull_policy: str = ""
    pull_secrets: tuple[str, ...] = ()
