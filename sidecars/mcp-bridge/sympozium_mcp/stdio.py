"""The stdio transport: JSON-RPC messages, one a line, between the mcp package and a process of ours.

The package's own has no bound on a line, reads as fast as a server writes, waits for ever on one that does not read,
and starts its process only when everything is imported; so this one stands in for it, over the same two streams.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client._transport import TransportStreams
from mcp.shared.message import SessionMessage

from sympozium_mcp.process import MAX_MESSAGE, ServerProcess, TooLong
from sympozium_mcp.wire import UNIT, Wire

MAX_GARBAGE: Final = 1000
"""Lines in a row that are no MCP: some servers print a banner there, one that goes on and on is something else."""

WRITE_WITHIN: Final = 10.0
"""Seconds in which a server must have read what it was sent."""

WRITES_HELD: Final = 64
"""Messages on their way to a server, so that withdrawing a call needs not wait for one that does not read."""


@asynccontextmanager
async def stdio(process: ServerProcess, wire: Wire) -> AsyncIterator[TransportStreams]:
    """The streams that the mcp package speaks over. The process is not stopped at the end."""
    arriving, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, leaving = anyio.create_memory_object_stream[SessionMessage](WRITES_HELD)
    async with arriving, read, write, leaving, anyio.create_task_group() as tasks:
        tasks.start_soon(_read, process, arriving, wire)
        tasks.start_soon(_write, process, leaving, arriving, wire)
        yield read, write
        tasks.cancel_scope.cancel()


async def _read(
    process: ServerProcess, arriving: MemoryObjectSendStream[SessionMessage | Exception], wire: Wire
) -> None:
    garbage = 0
    try:
        async for line in process.lines():
            await wire.meter.take(len(line) / UNIT)
            message = _message(line)
            if message is not None:
                garbage = 0
                await arriving.send(message)
            elif line.strip():
                garbage += 1
                if garbage > MAX_GARBAGE:
                    wire.end(f"it wrote {garbage} lines that are no MCP to its standard output")
                    break
    except TooLong:
        wire.end(f"it wrote a message of more than {MAX_MESSAGE >> 20} MiB")
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        pass  # the session has gone
    arriving.close()


async def _write(
    process: ServerProcess,
    leaving: MemoryObjectReceiveStream[SessionMessage],
    arriving: MemoryObjectSendStream[SessionMessage | Exception],
    wire: Wire,
) -> None:
    try:
        async for item in leaving:
            data = item.message.model_dump_json(by_alias=True, exclude_unset=True)
            async with asyncio.timeout(WRITE_WITHIN):
                await process.write(data.encode() + b"\n")
    except TimeoutError:
        wire.end(f"it did not read its input for {WRITE_WITHIN:g} s")
        arriving.close()
    except OSError:
        arriving.close()  # it reads no more: the end of its output says why


def _message(line: bytes) -> SessionMessage | None:
    try:
        return SessionMessage(types.jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError:
        return None
