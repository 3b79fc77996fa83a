"""The container engine of this machine: what a test that needs it asks, and why it is skipped."""

from __future__ import annotations

import functools
import os
import subprocess

import pytest

REQUIRED = "SYMPOZIUM_ENGINE"
"""Set to ``required``: a machine without engine or images fails such a test."""
TAG = os.environ.get("SYMPOZIUM_TAG", "dev")
POD = ("agent", "ipc-bridge", "model", "skill-shell")
"""The images of a plain run."""


@functools.cache
def docker(*words: str) -> str | None:
    """What the engine's client says; None when it fails or is not there."""
    try:
        done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def need_images(*names: str) -> None:
    """Skip, or fail where an engine is required, unless it answers and has these images."""
    if docker("version", "--format", "{{.Server.Version}}") is None:
        cannot("no container engine answers on this machine (make engine)")
    for name in names:
        if docker("image", "inspect", "--format", "{{.Id}}", f"sympozium/{name}:{TAG}") is None:
            cannot(f"the image {name} is not built (make images)")


def cannot(why: str) -> None:
    """Skip for this reason, or fail where an engine is required."""
    if os.environ.get(REQUIRED) == "required":
        pytest.fail(why)
    pytest.skip(why)
