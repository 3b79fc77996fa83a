"""What the tests of whole runs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pod.play import Play


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return Play(tmp_path)


@pytest.fixture
def effects(tmp_path: Path) -> Callable[[], list[str]]:
    """What commands did, counted outside of the run."""
    return lambda: (tmp_path / "effects").read_text().split() if (tmp_path / "effects").exists() else []
