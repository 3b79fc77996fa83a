"""What the tests of whole runs share. Each runs twice: its programs are processes, or containers of a real engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pod.play import Play
from tests.support.engine import POD, need_images


@pytest.fixture(params=["processes", "compose"])
def play(tmp_path: Path, request: pytest.FixtureRequest) -> Play:
    if request.param == "compose":
        need_images(*POD)
    return Play(tmp_path, request.param)


@pytest.fixture
def effects(play: Play) -> Callable[[], list[str]]:
    """What commands did, counted outside of the run."""
    file = play.workspace / "effects"
    return lambda: file.read_text().split() if file.exists() else []
