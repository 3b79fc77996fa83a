"""/mcp as the mcp package's client speaks it: agents and their skills' tools."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent

from tests.support.scratch import soon
from tests.web.conftest import Web, instance, waits_for

T = TypeVar("T")


def with_client(web: Web, use: Callable[[Client], Awaitable[T]]) -> T:
    async def go() -> T:
        headers = {"authorization": f"Bearer {web.token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(f"{web.url}/mcp", http_client=http)) as client,
        ):
            return await use(client)

    return asyncio.run(go())


def called(web: Web, name: str, **arguments: Any) -> tuple[bool, str]:
    async def call(client: Client) -> CallToolResult:
        return await client.call_tool(name, arguments)

    found = with_client(web, call)
    (part,) = found.content
    assert isinstance(part, TextContent)
    return not found.is_error, part.text


def test_each_agent_is_a_tool_and_so_are_its_skills_tools_where_allowed(shared: Web) -> None:
    async def names(client: Client) -> list[str]:
        return [tool.name for tool in (await client.list_tools()).tools]

    found = with_client(shared, names)
    assert found[:4] == ["ask_echo", "ask_looks", "ask_fails", "ask_down"]
    assert "echo__shell__execute_command" in found[4:]


def test_without_leave_only_the_agents_are_tools(web: Web) -> None:
    web.write(instance("echo", {"say": "${input}"}))
    web.start()

    async def names(client: Client) -> list[str]:
        return [tool.name for tool in (await client.list_tools()).tools]

    assert with_client(web, names) == ["ask_echo"]


def test_an_agent_is_given_a_task_and_answers(shared: Web) -> None:
    assert called(shared, "ask_looks", input="what is so?") == (True, "It says seen.")


def test_a_run_that_fails_is_an_error_with_its_reason_and_its_name(shared: Web) -> None:
    good, text = called(shared, "ask_down", input="x")
    assert not good
    assert text.startswith("ModelUnavailable: ")
    assert "run web-" in text


def test_steps_are_progress(shared: Web) -> None:
    seen: list[str | None] = []

    async def call(client: Client) -> None:
        async def progress(done: float, total: float | None, message: str | None) -> None:
            seen.append(message)

        await client.call_tool("ask_looks", {"input": "x"}, progress_callback=progress)

    with_client(shared, call)
    assert "calls execute_command" in seen


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"command": "echo '${r} $${input}' $((1 + 2))"}, (True, "${r} $${input} 3")),
        ({"command": "exit 3"}, (False, "error: [exit code 3, no output]")),
        ({"cmd": "x"}, (False, "error: The arguments of execute_command are not valid")),
    ],
)
def test_a_skills_tool_is_called_as_it_is_asked_for(
    shared: Web, arguments: dict[str, str], expected: tuple[bool, str]
) -> None:
    good, text = called(shared, "echo__shell__execute_command", **arguments)
    assert good == expected[0]
    assert text.strip().startswith(expected[1])


def test_a_skills_tool_is_under_the_agents_policy(web: Web) -> None:
    web.write(instance("careful", {"say": "x"}, policy="default"))
    web.start("--expose-tools")
    good, text = called(web, "careful__shell__execute_command", command="touch /nowhere")
    assert not good
    assert text.startswith("denied: ")


def test_a_tool_that_is_not_there_and_a_task_that_is_empty_are_errors(shared: Web) -> None:
    async def call(client: Client) -> None:
        with pytest.raises(MCPError, match="there is no tool ask_nobody"):
            await client.call_tool("ask_nobody", {"input": "x"})

    with_client(shared, call)
    assert called(shared, "ask_echo", input=" ")[0] is False
    assert called(shared, "ask_echo")[0] is False


def test_a_call_that_is_cancelled_cancels_its_run(web: Web, tmp_path: Path) -> None:
    web.write(instance("waits", waits_for(tmp_path / "never"), {"say": "done"}))
    web.start()

    async def call(client: Client) -> None:
        calling = asyncio.ensure_future(client.call_tool("ask_waits", {"input": "x"}))
        await asyncio.to_thread(soon, lambda: web.at_work() or None, "the run is at work")
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await asyncio.to_thread(soon, lambda: web.left() == [] or None, "nothing of the run is left")

    with_client(web, call)


def test_a_client_of_an_older_revision_that_goes_away_cancels_its_run(web: Web, tmp_path: Path) -> None:
    web.write(instance("waits", waits_for(tmp_path / "never"), {"say": "done"}))
    web.start("--max-runs", "1")
    client = {"name": "t", "version": "1"}
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
    accept = "application/json, text/event-stream"
    with web.client(accept=accept) as http:
        opened = http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})
        session = opened.headers["mcp-session-id"]
        http.headers["mcp-session-id"] = session
        assert http.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202
    asked = {"name": "ask_waits", "arguments": {"input": "x"}}
    body = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": asked}).encode()
    more = f"accept: {accept}", f"mcp-session-id: {session}", f"content-length: {len(body)}"
    with web.connection(web.head("POST", "/mcp", *more) + body):
        soon(lambda: web.at_work() or None, "the run is at work")
    soon(lambda: web.left() == [] or None, "nothing of the run is left")


def test_a_task_that_is_larger_than_a_run_takes_is_an_error(shared: Web) -> None:
    good, text = called(shared, "ask_echo", input="x" * 1_040_000)
    assert not good
    assert text.startswith("error: input: ")


def test_a_page_that_rebinds_its_name_to_this_server_is_refused(shared: Web) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    accept = {"accept": "application/json, text/event-stream"}
    with shared.client(**accept) as client:
        assert client.post("/mcp", json=body, headers={"host": "evil.example"}).status_code == 421
        assert client.post("/mcp", json=body, headers={"origin": "http://evil.example"}).status_code == 403
