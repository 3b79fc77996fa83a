"""A real HTTP server with prepared answers: for a program that asks a big server a few questions."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = Callable[[Mapping[str, list[str]]], Any]


class Canned:
    """``answers``: by path, a value for JSON, a str as plain text, or a function of the query that gives one."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        """Each request as METHOD PATH?QUERY."""
        self.url = ""

    def answer(self, target: str) -> tuple[int, bytes, str]:
        url = urlsplit(target)
        if url.path not in self.answers:
            return (
                404,
                b'{"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}',
                "application/json",
            )
        found = self.answers[url.path]
        value = found(parse_qs(url.query)) if callable(found) else found
        if isinstance(value, tuple):
            return value[0], json.dumps(value[1]).encode(), "application/json"
        if isinstance(value, str):
            return 200, value.encode(), "text/plain"
        return 200, json.dumps(value).encode(), "application/json"


@contextmanager
def canned(answers: Mapping[str, Any], host: str = "127.0.0.1") -> Iterator[Canned]:
    """A server that answers while the block runs."""
    state = Canned(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            state.asked.append(f"{self.command} {self.path}")
            status, data, kind = state.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        do_PUT = do_PATCH = do_DELETE = do_POST

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: ``asked`` has it."""

    server = ThreadingHTTPServer((host, 0), Handler)
    server.daemon_threads = True
    state.url = f"http://{host}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
