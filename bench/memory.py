"""The memory: how well it finds, how fast it is with many entries, what its process costs, many clients at once."""

from __future__ import annotations

from collections.abc import Iterator

from bench import memory_clients, memory_process, memory_search, memory_speed
from bench.report import Row


def rows() -> Iterator[Row]:
    yield from memory_search.rows()
    yield from memory_process.rows()
    yield from memory_clients.rows()
    yield from memory_speed.rows()
