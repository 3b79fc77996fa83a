"""The bus: how fast, how large, and how many at once."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import bus_fleet, bus_size, bus_speed
from bench.report import Row


def rows() -> Iterator[Row]:
    """Each part with a server of its own."""
    for part in (bus_speed, bus_size, bus_fleet):
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as path:
            yield from asyncio.run(part.measure(Path(path)))
