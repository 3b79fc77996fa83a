"""A TCP proxy between a client and a server, for what a network does to both: cut, frozen, and whole again."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from tests.support.ports import lasting_port

T = TypeVar("T")
Towards = Literal["server", "client"]
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: closing sends a reset


class Between:
    """Listens on a port of its own for connections to ``port`` of this machine. A context manager.

    Works in a thread of its own, so that tests without asyncio, and programs in other processes, can be behind it.
    Each method returns when what it says holds.
    """

    def __init__(self, port: int, scheme: str = "nats") -> None:
        self.port = lasting_port()
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._target = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="proxy")
        self._passing: dict[Towards, asyncio.Event] = {"server": asyncio.Event(), "client": asyncio.Event()}
        self._listening: asyncio.Server | None = None
        self._pairs: set[asyncio.Task[Any]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self.heal()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Reset every connection, and refuse new ones, until ``heal``."""
        self._do(self._cut())

    def freeze(self, *towards: Towards) -> None:
        """Pass nothing on, that way or both, until ``heal``, which passes on what has waited.

        Connections stay, and new ones are accepted. Frozen towards the client, the server hears and stores what the
        client sends, and its acknowledgements do not arrive.
        """
        self._do(self._freeze(towards or ("server", "client")))

    def heal(self) -> None:
        """Be a network that works."""
        self._do(self._heal())

    @property
    def connections(self) -> int:
        """How many clients are connected through it now."""
        return len(self._pairs)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _cut(self) -> None:
        if self._listening:
            self._listening.close()
            self._listening = None
        for task in self._pairs:
            task.cancel()
        await asyncio.gather(*self._pairs, return_exceptions=True)

    async def _freeze(self, towards: tuple[Towards, ...]) -> None:
        for way in towards:
            self._passing[way].clear()

    async def _heal(self) -> None:
        for event in self._passing.values():
            event.set()
        if self._listening is None:
            self._listening = await asyncio.start_server(self._accept, "127.0.0.1", self.port, backlog=1024)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._pairs.add(task)
        ends = [writer]
        try:
            if self._listening:  # it may have been cut since the connection was accepted
                answers, server = await asyncio.open_connection("127.0.0.1", self._target)
                ends.append(server)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pass(reader, server, "server"))
                    group.create_task(self._pass(answers, writer, "client"))
        except* (OSError, asyncio.CancelledError):  # an end is gone, or all is cut: both ends hear of it
            pass
        finally:
            await asyncio.gather(*map(_reset, ends))
            self._pairs.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, towards: Towards) -> None:
        while data := await reader.read(1 << 16):
            await self._passing[towards].wait()
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # closed already, or by the other side
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()
        await writer.wait_closed()
