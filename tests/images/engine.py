"""The engine and the images for tests: which there are, what is in one, and one that runs."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sympozium_packs
import yaml

ROOT = Path(__file__).parents[2]
PREFIX = os.environ.get("REGISTRY", "sympozium")
TAG = os.environ.get("TAG", "dev")
PREPARED = ROOT / "build/images/offline.env"
"""What `make images` writes where no registry is reached."""

BASE = os.environ.get("BASE", "sympozium-base:trixie" if PREPARED.exists() else "python:3.13-slim")
PROGRAMS: dict[str, dict[str, Any]] = tomllib.loads((ROOT / "images/programs.toml").read_text())
PACKS: dict[str, dict[str, Any]] = {
    pack["sidecar"]["image"]: pack
    for file in sorted(Path(sympozium_packs.__file__).parent.glob("*/pack.yaml"))
    if "sidecar" in (pack := yaml.safe_load(file.read_text()))
}
"""Packs that have a sidecar, by the image that they name."""

IMAGES = sorted([*(name for name in PROGRAMS if name != "skill"), *PACKS])
SERVER = "nats"
"""The image that has no program of ours."""

WALLS = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none")


def tag(image: str) -> str:
    """The name by which the engine knows an image of ours."""
    return f"{PREFIX}/{image}:{TAG}"


def program(image: str) -> dict[str, Any]:
    """The entry of images/programs.toml whose packages are in an image."""
    return PROGRAMS.get(image, PROGRAMS["skill"])


def docker(*words: str, check: bool = True, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run the client; AssertionError with what it said if it fails."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=600, check=False, **more)
    assert not check or done.returncode == 0, f"docker {' '.join(words)}\n{done.stdout}{done.stderr}"
    return done


def run(image: str, *words: str, entrypoint: str = "", options: tuple[str, ...] = (), check: bool = True) -> str:
    """Standard output of a container behind all walls; without ``check`` with its standard error."""
    first = ("--entrypoint", entrypoint) if entrypoint else ()
    done = docker("run", "--rm", *WALLS, *options, *first, tag(image), *words, check=check)
    return done.stdout if check else done.stdout + done.stderr


@functools.cache
def inspected(image: str) -> dict[str, Any]:
    """What the engine says of an image."""
    found: dict[str, Any] = json.loads(docker("image", "inspect", tag(image)).stdout)[0]
    return found


@functools.cache
def contents(image: str) -> dict[str, Any]:
    """What probe.py finds in an image, as the image's own user and interpreter see it."""
    script = Path(__file__).with_name("probe.py").read_text()
    found: dict[str, Any] = json.loads(run(image, "-c", script, entrypoint="python3"))
    return found


@contextmanager
def idle(image: str, *words: str, options: tuple[str, ...] = ()) -> Iterator[str]:
    """A running container, by its id; gone afterwards."""
    container = docker("run", "--detach", *WALLS, "--tmpfs", "/tmp", *options, tag(image), *words).stdout.strip()
    try:
        yield container
    finally:
        docker("rm", "--force", "--volumes", container)


def bake(*targets: str, options: tuple[str, ...] = (), workspace: Path = ROOT, **environment: str) -> None:
    """Build targets as `make images` did: with what it prepared, where no registry was reached."""
    script = (f". {PREPARED}; " if PREPARED.exists() else "") + 'exec docker buildx bake "$@"'
    command = ["sh", "-c", script, "sh", *options, *targets]
    done = subprocess.run(
        command,
        cwd=workspace,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
