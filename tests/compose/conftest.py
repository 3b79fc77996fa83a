"""What tests of containers share: runs of a real engine, and a look at their containers from in- and outside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pod.play import Play
from tests.support.containers import Containers, containers_of
from tests.support.engine import POD, need_images


@pytest.fixture
def play(tmp_path: Path) -> Play:
    need_images(*POD)
    return Play(tmp_path, "compose")


@pytest.fixture
def containers(play: Play) -> Iterator[Containers]:
    with containers_of(play.directory) as found:
        yield found
