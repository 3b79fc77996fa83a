"""A server that is told to stop: whoever waits is told why, and no run stays behind."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.support.scratch import soon
from tests.web.conftest import Web, instance, waits_for


@pytest.fixture
def waits(web: Web, tmp_path: Path) -> Web:
    web.write(instance("waits", waits_for(tmp_path / "never"), {"say": "done"}))
    web.start()
    return web


def while_it_stops(web: Web, ask: Callable[[], Any]) -> Any:
    """What ``ask`` gives when the server is told to stop while the run of its request is at work."""
    found: list[Any] = []
    asking = threading.Thread(target=lambda: found.append(ask()))
    asking.start()
    soon(lambda: web.at_work() or None, "the run is at work")
    assert web.stop() == 0
    assert web.left() == []
    asking.join(30)
    assert "Traceback" not in web.log.read_text(), web.log.read_text()
    return found[0]


def test_who_waits_for_an_answer_is_told_and_does_not_try_again(waits: Web) -> None:
    found = while_it_stops(waits, lambda: waits.ask("waits"))
    assert (found.status_code, found.headers["x-should-retry"]) == (503, "false")
    assert found.json()["error"]["code"] == "Cancelled"
    assert "told to stop" in found.json()["error"]["message"]


def test_who_reads_a_stream_is_told_in_it(waits: Web) -> None:
    client = openai.OpenAI(base_url=f"{waits.url}/v1", api_key=waits.token)

    def ask() -> str:
        messages: list[Any] = [{"role": "user", "content": "x"}]
        with pytest.raises(openai.APIError) as told:
            list(client.chat.completions.create(model="waits", messages=messages, stream=True))
        return str(told.value)

    assert "told to stop" in while_it_stops(waits, ask)


def test_who_called_an_agents_tool_is_told(waits: Web) -> None:
    async def call() -> str:
        headers = {"authorization": f"Bearer {waits.token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(f"{waits.url}/mcp", http_client=http)) as client,
        ):
            return (await client.call_tool("ask_waits", {"input": "x"})).model_dump_json()

    assert "told to stop" in while_it_stops(waits, lambda: asyncio.run(call()))


def test_who_still_sends_a_body_is_told(waits: Web) -> None:
    begun = waits.head("POST", "/v1/chat/completions", "content-length: 1000", "expect: 100-continue")
    with waits.connection(begun) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")  # it waits for the body
        assert waits.stop() == 0
        head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"x-should-retry: false" in head
    assert json.loads(body)["error"]["code"] == "Cancelled"
    assert "Traceback" not in waits.log.read_text()


def test_a_fault_of_the_server_is_an_error_object_and_its_log_has_it(web: Web) -> None:
    web.write(instance("echo", {"say": "x"}))
    web.start(changed="import sympozium_web.chat as c\ndef broken(_): raise RuntimeError('/secret')\nc.parse = broken")
    found = web.ask("echo")
    assert (found.status_code, found.headers["x-should-retry"]) == (500, "false")
    assert found.json()["error"]["type"] == "server_error"
    assert "secret" not in found.text
    assert web.stop() == 0
    assert "RuntimeError: /secret" in web.log.read_text()
