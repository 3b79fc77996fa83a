"""Pod → plain processes of one developer. Pure: paths are computed, nothing is created."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from sympozium_controller.pod import PackFiles, Pod, Program, SecretEnv
from sympozium_controller.render.notenforced import NotEnforced

IPC_DIRECTORY: Final = "ipc"
WORKSPACE_DIRECTORY: Final = "workspace"
PACKS_DIRECTORY: Final = "packs"
TMP_DIRECTORY: Final = "tmp"

_DIRECTORIES: Final = {
    "/ipc": IPC_DIRECTORY,
    "/workspace": WORKSPACE_DIRECTORY,
    "/packs": PACKS_DIRECTORY,
}
_MEMORY: Final = "/memory"
_PATH_VARIABLES: Final = frozenset({"SYMPOZIUM_IPC", "SYMPOZIUM_WORKSPACE", "SYMPOZIUM_PACK", "SYMPOZIUM_MEMORY"})


@dataclass(frozen=True, slots=True)
class Roots:
    """Where a pod's paths are, all absolute: those of this run, and the memory, which outlives it."""

    run: PurePath
    memory: PurePath


@dataclass(frozen=True, slots=True)
class Process:
    """One program to start. Its environment is ``env``, the values of ``secrets``, and what of ``inherits`` is set."""

    name: str
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    secrets: tuple[SecretEnv, ...]
    inherits: tuple[str, ...]
    cwd: str


@dataclass(frozen=True, slots=True)
class Processes:
    """The programs in the order of their start (the gate first, the agent last), and what to make before.

    ``directories`` are to be made, for this user alone; ``files`` (path, text) are the packs.
    """

    programs: tuple[Process, ...]
    directories: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    not_enforced: tuple[NotEnforced, ...]


def render(pod: Pod, roots: Roots, executables: PurePath) -> Processes:
    """The pod below ``roots``, its programs from the directory ``executables``."""
    programs = (pod.bridge, *pod.participants, pod.agent)
    return Processes(
        programs=tuple(_process(program, roots, executables) for program in programs),
        directories=tuple(_directories(pod, programs, roots)),
        files=tuple(file for pack in pod.packs for file in _pack(pack, roots.run)),
        not_enforced=tuple(_not_enforced(pod)),
    )


def _process(program: Program, roots: Roots, executables: PurePath) -> Process:
    executable, *arguments = program.command
    at_work = any(mount.path == "/workspace" for mount in program.mounts)
    tmp = str(roots.run / TMP_DIRECTORY / program.name)
    return Process(
        name=program.name,
        argv=(str(executables / executable), *arguments),
        env=(*((name, _value(name, value, roots)) for name, value in program.env), ("TMPDIR", tmp)),
        secrets=program.secrets,
        inherits=program.inherits,
        cwd=str(roots.run / WORKSPACE_DIRECTORY) if at_work else tmp,
    )


def _value(name: str, value: str, roots: Roots) -> str:
    return str(_path(value, roots)) if name in _PATH_VARIABLES else value


def _path(path: str, roots: Roots) -> PurePath:
    """A path inside a container as the one on this machine."""
    first, *rest = PurePath(path).parts[1:]
    if f"/{first}" == _MEMORY:
        return roots.memory.joinpath(*rest)
    return roots.run.joinpath(_DIRECTORIES[f"/{first}"], *rest)


def _directories(pod: Pod, programs: tuple[Program, ...], roots: Roots) -> Iterator[str]:
    root = roots.run
    if any(mount.path == _MEMORY for program in programs for mount in program.mounts):
        yield str(roots.memory)
    yield from (str(root / name) for name in (IPC_DIRECTORY, WORKSPACE_DIRECTORY, PACKS_DIRECTORY, TMP_DIRECTORY))
    yield from (str(root / TMP_DIRECTORY / program.name) for program in programs)
    yield from (str(root / PACKS_DIRECTORY / pack.name) for pack in pod.packs)


def _pack(pack: PackFiles, root: PurePath) -> Iterator[tuple[str, str]]:
    return ((str(root / PACKS_DIRECTORY / pack.name / name), text) for name, text in pack.files)


def _not_enforced(pod: Pod) -> Iterator[NotEnforced]:
    yield NotEnforced(
        "one-writer", "Any program of this run can write into another's directory: there are no mounts to forbid it."
    )
    yield NotEnforced("identity", "Every program acts as you, with your files, your keys and your cluster credentials.")
    yield NotEnforced("egress", "Skills and the model gateway can reach any address that you can reach.")
    yield NotEnforced(
        "private-tmp", "Each program has a directory of its own for temporary files, but can read the others'."
    )
    yield NotEnforced("read-only-root", "Programs see your whole file system, and can write where you can.")
    yield NotEnforced("images", "Commands are the binaries that this machine has, not those of a pack's image.")
    yield NotEnforced("disk", f"Writers keep to {_mebibytes(pod.disk)} in /ipc by themselves; no volume stops them.")
    if _bounded(pod):
        yield NotEnforced("resources", "CPU and memory limits of the documents are not applied.")
    if pod.sandbox:
        yield NotEnforced("sandbox", "A policy of this run demands a sandbox (gVisor or Kata); there is none.")


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):g} MiB"


def _bounded(pod: Pod) -> bool:
    return any(
        program.resources.cpu or program.resources.memory or program.resources.processes
        for program in (pod.agent, pod.bridge, *pod.participants)
    )
