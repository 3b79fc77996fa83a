"""A memory for an event loop: opened when it is first needed, let go when its file fails, then opened again.

So a program whose file is damaged goes on answering, and says what is wrong until somebody has mended it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from sympozium_memory.entry import Stored
from sympozium_memory.faults import BadInput, FileFault, MemoryFault, NoSpace, WasRevoked
from sympozium_protocol.process import log

if TYPE_CHECKING:
    from sympozium_memory.store import Memory

T = TypeVar("T")

READERS: Final = 4
"""Searches side by side; each has a connection with its cache."""


class Keeper:
    """Every method may raise MemoryFault."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seeds: list[str] = []
        self._memory: Memory | None = None
        self._opening = asyncio.Lock()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="memory-reader")

    async def read(self, read: Callable[[Memory], T]) -> T:
        async with self._open() as memory:
            return await self._in_thread(lambda: read(memory))

    async def store(self, content: str, tags: Sequence[str], run: str, call: str) -> Stored:
        """When it is on the disk. Cancelled before its turn, it stores nothing."""
        async with self._open() as memory:
            return await asyncio.wrap_future(memory.submit(content, tags=tags, run=run, call=call))

    async def begin(self, seeds: Iterable[str] = ()) -> None:
        """Open the file, and store what the memory begins with, once. What fails is logged; calls will tell."""
        self._seeds += seeds
        try:
            async with self._open():
                pass
        except MemoryFault as fault:
            log("memory cannot be opened", fault=type(fault).__name__, why=str(fault))

    async def close(self) -> None:
        if self._memory:
            await self._in_thread(self._memory.close)
        self._readers.shutdown(wait=False)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Memory]:
        async with self._opening:
            if self._memory is None:
                self._memory = await self._in_thread(lambda: _memory(self._path))
            memory = self._memory
            await self._plant(memory)
        try:
            yield memory
        except FileFault as fault:
            if not isinstance(fault, NoSpace) and self._memory is memory:
                self._memory = None
                self._readers.submit(memory.close)
            raise

    async def _plant(self, memory: Memory) -> None:
        """Store the seeds that were not stored by this process. One that a person revoked stays away."""
        while self._seeds and memory.writable:
            try:
                await asyncio.wrap_future(memory.submit(self._seeds[0], trust="seed"))
            except (BadInput, WasRevoked) as fault:
                log("seed passed over", why=fault.why)
            except MemoryFault as fault:
                log("seed not stored", why=str(fault))
                return
            self._seeds.pop(0)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)


def _memory(path: Path) -> Memory:
    from sympozium_memory.store import Memory  # here: a run is told of the tools before this is loaded

    return Memory.open(path)
