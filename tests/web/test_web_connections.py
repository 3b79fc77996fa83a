"""Clients that hold connections, speak HTTP badly, or leave: they cost themselves and nobody else."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.scratch import soon
from tests.web.conftest import Web, instance

SHORT = "import sympozium_web.connections as c, sympozium_web.guard as g; c.HEAD_WITHIN = g.BODY_WITHIN = 1.0"


@pytest.fixture
def echo(web: Web) -> Web:
    web.write(instance("echo", {"say": "${input}"}))
    return web


@contextlib.contextmanager
def trickling(connection: socket.socket) -> Iterator[None]:
    """A byte now and then, for as long as the other side takes them."""
    over = threading.Event()

    def send() -> None:
        with contextlib.suppress(OSError):
            while not over.wait(0.1):
                connection.sendall(b"x")

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()


def received(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            found += piece
    return found


def closed(connection: socket.socket) -> bool:
    """Has the server closed it?"""
    looked = select.poll()  # select(2) knows descriptors below 1,024 alone
    looked.register(connection, select.POLLIN)
    if not looked.poll(0):
        return False
    try:
        return connection.recv(65536) == b""
    except ConnectionResetError:
        return True


def answer(connection: socket.socket) -> tuple[int, Any]:
    """Status and JSON of the one answer on a connection that the server closes then."""
    head, _, body = received(connection).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_connections_that_say_nothing_shut_nobody_out(echo: Web) -> None:
    echo.start()
    with contextlib.ExitStack() as held:
        silent = [held.enter_context(echo.connection(b"GET /")) for _ in range(300)]
        for _ in range(3):
            assert echo.ask("echo").status_code == 200
        soon(lambda: sum(map(closed, silent)) >= 300 - 256 or None, "those that came first are closed")


def test_clients_without_the_token_that_never_end_their_body_shut_nobody_out(echo: Web) -> None:
    echo.start()
    begun = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{"
    with contextlib.ExitStack() as held:
        for _ in range(300):
            held.enter_context(echo.connection(begun))
        assert echo.ask("echo").status_code == 200


def test_more_requests_than_there_may_be_connections_are_told_so(echo: Web) -> None:
    echo.start(changed="import sympozium_web.connections as c; c.CONNECTIONS = 2")
    begun = echo.head("POST", "/v1/chat/completions", "content-length: 1000") + b"{"
    with echo.connection(begun) as one, echo.connection(begun) as two:
        assert not closed(one)
        assert not closed(two)
        found = soon(lambda: (r := echo.ask("echo")).status_code == 503 and r, "both are in their requests")
    assert found.json()["error"]["type"] == "server_error"
    assert int(found.headers["retry-after"]) > 0
    soon(lambda: echo.ask("echo").status_code == 200 or None, "there is room again")


@pytest.mark.parametrize(
    "sent", [b"", b"GET /v1/models HTTP/1.1\r\nhost: ", b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"]
)
def test_a_head_that_does_not_come_in_time_ends_its_connection(echo: Web, sent: bytes) -> None:
    echo.start(changed=SHORT)
    with echo.connection(sent) as connection, trickling(connection):
        received(connection)


def test_a_body_that_does_not_come_in_time_is_told_so_and_ends(echo: Web) -> None:
    echo.start(changed=SHORT)
    begun = echo.head("POST", "/v1/chat/completions", "content-length: 1000")
    with echo.connection(begun) as connection, trickling(connection):
        status, said = answer(connection)
    assert status == 408
    assert said["error"]["type"] == "invalid_request_error"


def test_a_refused_client_cannot_go_on_with_its_body(echo: Web) -> None:
    echo.start(changed=SHORT)
    begun = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n"
    with echo.connection(begun) as connection, trickling(connection):
        assert received(connection).startswith(b"HTTP/1.1 401 ")


CHUNKED = "transfer-encoding: chunked"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/mcp"])
@pytest.mark.parametrize("body", [b"zz\r\n{}", b"5\r\nabc\r\n\r\nxx\r\n", b"-1\r\n", b"2\r\n{}XX0\r\n\r\n"])
def test_a_body_whose_chunks_are_wrong_is_told_so_and_leaves_one_line(echo: Web, path: str, body: bytes) -> None:
    echo.start()
    accept = "accept: application/json, text/event-stream"
    with echo.connection(echo.head("POST", path, CHUNKED, accept)) as connection:
        connection.sendall(body)
        status, said = answer(connection)
    assert status == 400
    assert said["error"]["type"] == "invalid_request_error"
    assert_quiet(echo, "Invalid HTTP request received.")


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET  HTTP\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])
def test_what_is_no_http_is_told_so_and_leaves_one_line(echo: Web, sent: bytes) -> None:
    echo.start()
    with echo.connection(sent + b"\r\n\r\n") as connection:
        status, said = answer(connection)
    assert status == 400
    assert said["error"]["type"] == "invalid_request_error"
    assert_quiet(echo, "Invalid HTTP request received.")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/mcp"])
@pytest.mark.parametrize("body", [b"", b"5\r\n{"])
def test_a_client_that_leaves_within_its_body_leaves_no_traceback(echo: Web, path: str, body: bytes) -> None:
    echo.start()
    accept = "accept: application/json, text/event-stream"
    for _ in range(3):
        with echo.connection(echo.head("POST", path, CHUNKED, accept) + body) as connection:
            connection.shutdown(socket.SHUT_WR)
            received(connection)
    assert echo.ask("echo").status_code == 200
    assert_quiet(echo)


def assert_quiet(web: Web, *events: str) -> None:
    """The server ends well, and its log has these lines, those of its start and those of runs."""
    assert web.stop() == 0
    text = web.log.read_text()
    assert "Traceback" not in text, text
    told = [json.loads(line)["event"] for line in text.splitlines() if line.startswith("{")]
    assert [event for event in told if event != "run ended"] == list(events)
    assert all(line.startswith(("{", "serving ")) for line in text.splitlines()), text


@pytest.mark.parametrize("second", ["wrong", ""])
def test_two_tokens_in_one_request_are_refused(echo: Web, second: str) -> None:
    echo.start()
    more = f"authorization: Bearer {second or echo.token}"
    with echo.connection(echo.head("GET", "/v1/models", more, "connection: close")) as connection:
        status, said = answer(connection)
    assert status == 400
    assert "authorization" in said["error"]["message"].lower()


def test_a_long_path_is_not_told_back_whole(echo: Web) -> None:
    echo.start()
    with echo.client() as client:
        found = client.get("/v1/" + "x" * 20_000)
    assert found.status_code == 404
    assert len(found.content) < 500
