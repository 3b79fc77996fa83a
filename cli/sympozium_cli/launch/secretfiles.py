"""Secrets as files of the one container that needs them: in memory where the machine has a place for that."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sympozium_controller.pod import SecretEnv
from sympozium_controller.render.compose import Project

_IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108  each run's directory in it is for its user alone


def directory(run: str) -> Path:
    """Where the files of a run are, each program's in a directory of its own."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    base = Path(runtime) if os.path.isabs(runtime) and os.path.isdir(runtime) else _IN_MEMORY
    return base / f"sympozium-{os.getuid()}-{run}"


def write(place: Path, project: Project, values: Mapping[SecretEnv, str], owner: tuple[int, int]) -> None:
    """Raises OSError. ``owner``: uid and gid of the containers."""
    remove(place)
    for service in project.services:
        if not service.secrets:
            continue
        own = place / service.name
        own.mkdir(mode=0o700, parents=True)
        place.chmod(0o700)
        for secret in service.secrets:
            path = own / secret.variable
            with open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o400)) as file:
                file.write(values[secret])
            give(path, owner)
        give(own, owner)


def give(path: Path, owner: tuple[int, int]) -> None:
    """Only root can, and only root has to: another's containers run as himself."""
    if os.geteuid() == 0:
        os.chown(path, *owner, follow_symlinks=False)


def remove(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
