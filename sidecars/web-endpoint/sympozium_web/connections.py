"""Connections: how long one may be without a request, how many there are, and what is said to what is no HTTP.

uvicorn bounds the silence between two requests and the number of connections, but neither the time of a
request's head nor of a body that was refused: whoever has no token could keep all there are.
"""

from __future__ import annotations

import asyncio
import json
from typing import Final

import h11
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from sympozium_web.outcomes import RETRY_AFTER, error

HEAD_WITHIN: Final = 10.0
"""Seconds from the opening of a connection, or the end of an answer, to the whole head of a request."""
CONNECTIONS: Final = 256
"""Open connections at a time."""


class Connection(H11Protocol):
    """One connection. It waits while no request of it is being answered: whoever has no token always does."""

    _timer: asyncio.TimerHandle | None = None
    _since = 0.0
    _unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._make_room()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        self._wait()
        super().on_response_complete()  # may go on with the next request, if that came already

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP, in a head or in a body. After the start of an answer there is nothing to say any more."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._refuse(json.dumps(error(f"this is not HTTP/1.1: {msg.lower()}", "invalid_request_error")).encode())
        self.transport.close()
        self._wait()

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade that is not served is no upgrade, and nothing to log."""

    def _refuse(self, body: bytes) -> None:
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        head = h11.Response(status_code=400, headers=headers, reason="Bad Request")
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")

    def _make_room(self) -> None:
        """With too many, the one that waits longest goes; when none waits, this one is told so."""
        if len(self.connections) <= CONNECTIONS:
            return
        waiting = [one for one in self.connections if isinstance(one, Connection) and one._timer]
        if waiting:
            min(waiting, key=lambda one: one._since)._drop()
        else:
            self.app = _full

    def _wait(self) -> None:
        self._stop_waiting()
        self._since = self.loop.time()
        self._unread = self.transport.get_write_buffer_size()
        self._timer = self.loop.call_later(HEAD_WITHIN, self._expired)

    def _stop_waiting(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _expired(self) -> None:
        if 0 < self.transport.get_write_buffer_size() < self._unread:
            self._wait()  # it still takes its last answer
        else:
            self._drop()

    def _drop(self) -> None:
        self._stop_waiting()
        self.connections.discard(self)  # at once, for others may come before its end is known
        self.transport.abort()


async def _full(scope: Scope, receive: Receive, send: Send) -> None:
    """The answer to a request for which there is no room."""
    said = error("as many requests as there may be are being answered", "server_error", code="overloaded")
    headers = {"retry-after": str(RETRY_AFTER), "connection": "close"}
    await JSONResponse(said, 503, headers)(scope, receive, send)
