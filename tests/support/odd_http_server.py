"""An HTTP server that speaks MCP (revision 2025-06-18) in its own way: ``App(fault)`` is it, for uvicorn or ``run``.

With ``OAUTH`` it also is its own authorization server, which gives tokens for client credentials.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote

import jwt
import uvicorn

Send = Any
TOOLS = [{"name": "echo", "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}}}]


class App:
    """``seen``: the requests, as (method, path, headers, body)."""

    def __init__(self, fault: str = "", secret: str = "", key: Any = None, token_type: str = "Bearer") -> None:
        self.fault = fault
        self.secret = secret
        self.key = key
        self.token_type = token_type
        self.base = ""
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.tokens = 0
        self.session = 1

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        body = b""
        more = True
        while more:
            part = await receive()
            body += part.get("body", b"")
            more = part.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.seen.append((scope["method"], scope["path"], headers, body))
        await self.route(scope["method"], scope["path"], headers, body, send)

    async def route(self, method: str, path: str, headers: dict[str, str], body: bytes, send: Send) -> None:
        if path.startswith("/.well-known/oauth-protected-resource"):
            await reply(send, {"resource": f"{self.base}/mcp", "authorization_servers": [self.base]})
        elif path.startswith("/.well-known/"):
            found = {
                "issuer": self.base,
                "authorization_endpoint": f"{self.base}/authorize",
                "token_endpoint": f"{self.base}/token",
                "response_types_supported": ["code"],
            }
            await reply(send, found)
        elif path == "/token":
            await self.token(headers, parse_qs(body.decode()), send)
        elif self.fault == "slash" and path == "/mcp":
            await reply(send, {}, 307, {"location": "/mcp/"})
        elif method == "POST":
            await self.post(headers, json.loads(body), send)
        elif method == "DELETE":
            await reply(send, {}, 200)
        else:
            await reply(send, {}, 405)

    async def token(self, headers: dict[str, str], form: dict[str, list[str]], send: Send) -> None:
        if form["grant_type"] != ["client_credentials"] or not self.knows(headers, form):
            await reply(send, {"error": "invalid_client", "error_description": f"not {form}"}, 401)
            return
        self.tokens += 1
        await reply(
            send, {"access_token": f"opaque-token-{self.tokens}", "token_type": self.token_type, "expires_in": 3600}
        )

    def knows(self, headers: dict[str, str], form: dict[str, list[str]]) -> bool:
        if self.key is not None:
            claims = jwt.decode(form["client_assertion"][0], self.key, algorithms=["ES256"], audience=self.base)
            return bool(claims["sub"] == "me")
        if "client_secret" in form:
            return form["client_secret"] == [self.secret]
        given = headers.get("authorization", "").removeprefix("Basic ")
        return unquote(base64.b64decode(given).decode()) == f"me:{self.secret}"

    async def post(self, headers: dict[str, str], message: dict[str, Any], send: Send) -> None:
        method = message["method"]
        if self.fault == "oauth" and headers.get("authorization") != f"Bearer opaque-token-{self.tokens}":
            challenge = f'Bearer resource_metadata="{self.base}/.well-known/oauth-protected-resource/mcp"'
            await reply(send, {}, 401, {"www-authenticate": challenge})
        elif self.fault == "always-redirects-to-itself":
            await reply(send, {}, 307, {"location": "/mcp"})
        elif method == "server/discover":
            await reply(send, error(message, -32601, "no such method"), 200)
        elif method == "initialize":
            found = {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "odd", "version": "1"},
            }
            await reply(send, result(message, found), 200, {"mcp-session-id": f"session-{self.session}"})
        elif headers.get("mcp-session-id") != f"session-{self.session}":
            await reply(send, {}, 404)
        elif "id" not in message:
            if self.fault == "hangs-on-notifications" and method == "notifications/cancelled":
                await asyncio.sleep(3600)
            await reply(send, None, 202)
        elif method == "tools/list":
            await reply(send, result(message, {"tools": TOOLS}))
        else:
            await self.call(headers, message, send)

    async def call(self, headers: dict[str, str], message: dict[str, Any], send: Send) -> None:
        text = str(message["params"].get("arguments", {}).get("text", ""))
        if text == "odd":
            await self.odd(headers, message, send)
        elif text == "hang":
            await asyncio.sleep(3600)
        else:
            await reply(send, result(message, {"content": [{"type": "text", "text": text}]}))

    async def odd(self, headers: dict[str, str], message: dict[str, Any], send: Send) -> None:
        """The answer to a call that asks for it."""
        match self.fault:
            case "large":
                await reply(send, result(message, {"content": [{"type": "text", "text": "y" * (20 << 20)}]}))
            case "packed":
                data = gzip.compress(json.dumps(result(message, {"content": []})).encode())
                await reply(send, data, 200, {"content-encoding": "gzip"})
            case "status":
                await reply(send, {}, 503)
            case "status-with-error":
                await reply(send, {"error": "slow_down", "error_description": "not so fast"}, 429)
            case "status-of-a-stream":
                await reply(send, b"data: no\n\n", 502, {"content-type": "text/event-stream"})
            case "bad-request":
                await reply(send, {"message": "no"}, 400)
            case "status-of-the-protocol":
                await reply(send, error(message, -32000, "in its own words"), 503)
            case "not-json":
                await reply(send, b"<html>", 200)
            case "not-mcp":
                await reply(send, {"hello": "world"}, 200)
            case "text":
                await reply(send, b"hello", 200, {"content-type": "text/plain"})
            case "redirects-to-itself":
                await reply(send, {}, 307, {"location": "/mcp?again"})
            case "redirect":
                await reply(send, {}, 307, {"location": "http://127.0.0.2:9/steal"})
            case "echoes-headers":
                await reply(send, result(message, {"content": [{"type": "text", "text": json.dumps(headers)}]}))
            case "blob-with-headers":
                data = base64.b64encode(json.dumps(headers).encode()).decode()
                blob = {"type": "resource", "resource": {"uri": "x://y", "blob": data}}
                await reply(send, result(message, {"content": [blob]}))
            case "error-with-headers":
                await reply(send, error(message, -32000, json.dumps(headers)))
            case "empty-stream":
                await reply(send, b": nothing\n\n", 200, {"content-type": "text/event-stream"})
            case "large-event":
                event = b"data: " + b"x" * (20 << 20) + b"\n\n"
                await reply(send, event, 200, {"content-type": "text/event-stream"})
            case _:
                await reply(send, result(message, {"content": []}))


def result(message: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message["id"], "result": found}


def error(message: dict[str, Any], code: int, words: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message["id"], "error": {"code": code, "message": words}}


async def reply(send: Send, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
    given = {"content-type": "application/json", **(headers or {})}
    raw = [(name.encode(), value.encode()) for name, value in given.items()]
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": data})


@contextlib.contextmanager
def running(app: App, port: int) -> Iterator[str]:
    """Serve ``app`` in a thread; its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    app.base = f"http://127.0.0.1:{port}"
    thread.start()
    until = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < until, "the server did not start"
        time.sleep(0.005)
    try:
        yield app.base
    finally:
        server.force_exit = True
        server.should_exit = True
        thread.join(20)
