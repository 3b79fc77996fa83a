"""The bridge ends when it is told to, whatever its servers do at that moment."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from sympozium_mcp.access import Access
from sympozium_mcp.connection import Connection
from sympozium_mcp.secrets import Redactor
from sympozium_mcp.server import Server
from sympozium_protocol.messages.servers import ServerSpec

SPEC = ServerSpec(name="a", prefix="a_", transport="http", url="http://127.0.0.1:9/mcp")


async def fails_when_stopped() -> None:
    try:
        await anyio.sleep_forever()
    finally:
        raise ConnectionError("the token is refused")


async def ends_while_it_fails(monkeypatch: pytest.MonkeyPatch) -> bool:
    server = Server(Access(SPEC), Redactor(), lambda: None)
    living = anyio.Event()

    async def live(*_: object) -> None:
        if living.is_set():
            await anyio.sleep_forever()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fails_when_stopped)
            living.set()

    monkeypatch.setattr(server, "_live", live)
    task = asyncio.create_task(server.run())
    await living.wait()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=20)
    return task.cancelled()


def test_a_server_whose_connection_fails_while_it_is_ended_is_not_connected_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert asyncio.run(ends_while_it_fails(monkeypatch))


def test_a_connection_that_fails_before_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost_twice() -> int:
        server = Server(Access(SPEC), Redactor(), lambda: None)
        lives: asyncio.Queue[Connection] = asyncio.Queue()

        async def live(connection: Connection, _: object) -> None:
            lives.put_nowait(connection)
            raise ConnectionError("refused")

        monkeypatch.setattr(server, "_live", live)
        task = asyncio.create_task(server.run())
        found = {id(await asyncio.wait_for(lives.get(), 20)) for _ in range(2)}
        task.cancel()
        await asyncio.wait([task])
        return len(found)

    assert asyncio.run(lost_twice()) == 2
