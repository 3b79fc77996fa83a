"""Fixtures with a nats-server, for a conftest.py to import."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nats import NatsServer, binary

__all__ = ["nats_binary", "nats_server", "shared_nats"]


@pytest.fixture(scope="session")
def nats_binary() -> str:
    """Path of the nats-server."""
    return binary()


@pytest.fixture
def nats_server(nats_binary: str, tmp_path: Path) -> Iterator[NatsServer]:
    """A server that only this test has: it may be killed, paused and filled."""
    with NatsServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture(scope="module")
def shared_nats(nats_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server of all tests of a module (in one worker): they keep apart by their runs and streams, and let it run."""
    with NatsServer(tmp_path_factory.mktemp("nats")) as server:
        yield server
