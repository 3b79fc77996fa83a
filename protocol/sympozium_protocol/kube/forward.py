"""A port of this machine's own whose connections lead through the API server to a port of a pod, as kubectl has it.

Each connection is a WebSocket of its own (``v4.channel.k8s.io``): messages begin with the number of a channel, 0 for
bytes and 1 for what went wrong; the first message of each channel from the other side repeats the port.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Final

from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import KubeError
from sympozium_protocol.kube.login import Login
from sympozium_protocol.kube.resources import PODS

if TYPE_CHECKING:
    import aiohttp

PROTOCOL: Final = "v4.channel.k8s.io"
LOOPBACK: Final = "127.0.0.1"
_DATA: Final = 0
_ERROR: Final = 1
_PIECE: Final = 64 * 1024


def _pass_over(_: str) -> None:
    """Whoever uses the port sees that its connection ends."""


@contextlib.asynccontextmanager
async def forwarded(
    api: Client, namespace: str, pod: str, port: int, tell: Callable[[str], None] = _pass_over
) -> AsyncIterator[int]:
    """The local port, while this is open. ``tell``: why a connection failed.

    Raises KubeError when there is no such pod, or it cannot be reached, or not by us.
    """
    path = PODS.path(namespace, pod, "portforward")
    await (await _open(api, path, port)).close()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            async with await _open(api, path, port) as socket:
                await _carry(socket, reader, writer, tell)
        except KubeError as error:
            tell(error.message)
        except asyncio.CancelledError:
            pass  # it is over; the server of streams would report a task that was cancelled
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, LOOPBACK, 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def forwarding(
    login: Login, namespace: str, pod: str, port: int, tell: Callable[[str], None] = _pass_over
) -> Iterator[int]:
    """The same for programs without a loop of their own, or with several: in a thread. Raises as ``forwarded``."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True, name="forward")
    thread.start()
    stack = contextlib.AsyncExitStack()

    async def begin() -> int:
        api = await stack.enter_async_context(Client(login))
        return await stack.enter_async_context(forwarded(api, namespace, pod, port, tell))

    try:
        yield asyncio.run_coroutine_threadsafe(begin(), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _open(api: Client, path: str, port: int) -> aiohttp.ClientWebSocketResponse:
    """Raises KubeError."""
    return await api.websocket(path, {"ports": str(port)}, PROTOCOL)


async def _carry(
    socket: aiohttp.ClientWebSocketResponse,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    tell: Callable[[str], None],
) -> None:
    """Until one of both sides has nothing more to say."""
    both = {
        asyncio.create_task(_send(socket, reader)),
        asyncio.create_task(_receive(socket, writer, tell)),
    }
    try:
        done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    except (OSError, RuntimeError) as error:  # of a transport that closes
        tell(str(error))
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)


async def _send(socket: aiohttp.ClientWebSocketResponse, reader: asyncio.StreamReader) -> None:
    while data := await reader.read(_PIECE):
        await socket.send_bytes(bytes([_DATA]) + data)


async def _receive(
    socket: aiohttp.ClientWebSocketResponse, writer: asyncio.StreamWriter, tell: Callable[[str], None]
) -> None:
    begun: set[int] = set()
    async for message in socket:
        if not isinstance(message.data, bytes) or not message.data:
            continue
        channel, rest = message.data[0], message.data[1:]
        if channel not in begun:
            begun.add(channel)
            rest = rest[2:]  # the port
        if channel == _ERROR and rest:
            tell(rest.decode(errors="replace").strip())
            return
        if channel == _DATA and rest:
            writer.write(rest)
            await writer.drain()
