"""Pod: what runs, as one frozen object without behaviour and without a word of Kubernetes.

Every renderer sees this and nothing else. Paths are those inside a container (/ipc, /workspace,
/tmp, /packs); a renderer that has no containers maps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume at a path. One volume has one program that may write it; /workspace is the exception."""

    volume: str
    path: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class SecretEnv:
    """An environment variable whose value is key ``key`` of the secret ``secret``; never the value itself."""

    variable: str
    secret: str
    key: str


@dataclass(frozen=True, slots=True)
class Resources:
    """Upper bounds: cores, bytes of memory, processes, bytes of disk; and what is set aside for it where somebody
    does. 0 = the renderer's default."""

    cpu: float = 0.0
    memory: int = 0
    processes: int = 0
    disk: int = 0
    reserved_cpu: float = 0.0
    reserved_memory: int = 0
    reserved_disk: int = 0


@dataclass(frozen=True, slots=True)
class Program:
    """One container, or one process. ``command`` starts with the name of an executable of ours."""

    name: str
    image: str
    command: tuple[str, ...]
    mounts: tuple[Mount, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    secrets: tuple[SecretEnv, ...] = ()
    resources: Resources = Resources()
    identity: str = ""
    egress: tuple[str, ...] = ()
    inherits: tuple[str, ...] = ()
    """Names of the developer's own environment that it may see on a laptop (HOME, KUBECONFIG)."""


@dataclass(frozen=True, slots=True)
class PackFiles:
    """A SkillPack as the files that its sidecar reads: name of the file to its text."""

    name: str
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Placing:
    """What the instance says about where it runs, and how it is marked there. The renderer's own marks prevail."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    nodes: Mapping[str, str] = field(default_factory=dict)
    """Labels of the machines that it may run on."""
    tolerations: tuple[Mapping[str, Any], ...] = ()
    priority: str = ""
    pull_secrets: tuple[str, ...] = ()
    """Names of secrets that images are fetched with."""


@dataclass(frozen=True, slots=True)
class Pod:
    """One run of an agent: the frozen RunSpec's bytes, and the programs around it."""

    name: str
    run: bytes
    agent: Program
    bridge: Program
    participants: tuple[Program, ...] = ()
    packs: tuple[PackFiles, ...] = field(default=())
    sandbox: bool = False
    """Does a policy of the run demand a sandboxed runtime?"""
    runtime_class: str = ""
    """The one that the first policy with a word on it names; empty: any."""
    disk: int = 1 << 30
    """Bytes for /ipc."""
    placing: Placing = field(default_factory=Placing)
