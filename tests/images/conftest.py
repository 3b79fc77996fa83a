"""Tests of the images need an engine and the images. SYMPOZIUM_ENGINE=required makes their absence a failure."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.images.engine import IMAGES, SERVER, docker, tag


def missing() -> str:
    """What these tests lack, in a sentence; empty when they lack nothing."""
    if not shutil.which("docker") or docker("version", check=False).returncode:
        return "no engine answers: make engine"
    if docker("image", "inspect", *map(tag, [*IMAGES, SERVER]), check=False).returncode:
        return "not all images are built: make images"
    return ""


@pytest.fixture(autouse=True, scope="session")
def _engine() -> None:
    if why := missing():
        if os.environ.get("SYMPOZIUM_ENGINE") == "required":
            pytest.fail(why)
        pytest.skip(why)
