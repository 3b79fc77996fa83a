"""What stands before every request: the bearer token, and bounds on the body's size and time. Plain ASGI."""

from __future__ import annotations

import asyncio
import hmac
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sympozium_protocol.exits import Reason
from sympozium_web.outcomes import ONCE, error, error_of, status_of

OPEN: Final = frozenset({"/healthz"})
"""Paths that need no token."""
BODY_WITHIN: Final = 30.0
"""Seconds that a client has to send its request's body."""
_CLOSE: Final = {"connection": "close"}


class Guard:
    """Refuses whoever does not present the token, before anything of the request is read."""

    def __init__(self, app: ASGIApp, token: str, max_body: int) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if sum(name == b"authorization" for name, _ in scope["headers"]) > 1:
            said = error("authorization: must be there once", "invalid_request_error")
            await JSONResponse(said, 400, _CLOSE)(scope, receive, send)
        elif scope["path"] not in OPEN and not self._presented(headers.get(b"authorization", b"")):
            refusal = error(
                "present the token of this server: Authorization: Bearer …",
                "invalid_request_error",
                code="invalid_api_key",
            )
            await JSONResponse(refusal, 401, {"www-authenticate": "Bearer"})(scope, receive, send)
        elif _declared(headers) > self._max_body:
            await self._too_large()(scope, receive, send)
        else:
            await self._served(scope, _Body(receive, self._max_body).receive, send)

    async def _served(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An answer also for who still waits when the server has to stop: only then is a request cancelled."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except asyncio.CancelledError:
            if not begun:
                refusal = error_of(Reason.Cancelled, "the server was told to stop")
                await JSONResponse(refusal, status_of(Reason.Cancelled), {**ONCE, **_CLOSE})(scope, receive, send)

    def _presented(self, header: bytes) -> bool:
        scheme, _, token = header.partition(b" ")
        return hmac.compare_digest(scheme.title() + b" " + token.strip(), self._expected)

    def _too_large(self) -> JSONResponse:
        said = error(too_large(self._max_body), "invalid_request_error", code="request_too_large")
        return JSONResponse(said, 413, _CLOSE)


def too_large(limit: int) -> str:
    return f"a request may have at most {limit} bytes"


class _Body:
    """The request's body as it comes, counted and timed until it is whole."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._left = limit
        self._whole = False
        self._ends = asyncio.get_running_loop().time() + BODY_WITHIN

    async def receive(self) -> Message:
        """The next message. Raises HTTPException (408, 413)."""
        if self._whole:  # what still comes is the client's going away, whenever that is
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._ends):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, f"the body did not come within {BODY_WITHIN:g} s", _CLOSE) from None
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._left < 0:
                raise HTTPException(413, too_large(self._limit), _CLOSE)
        return message


def _declared(headers: dict[bytes, bytes]) -> int:
    """Content-Length; 0 when it is missing or no number (the server has refused such a request already)."""
    text = headers.get(b"content-length", b"0")
    return int(text) if text.isdigit() else 0
