"""The way to a server over HTTP: bounded answers, and failures that cost one request and not the session.

An exception of the HTTP client would end the whole session of the mcp package. So what goes wrong with
a JSON-RPC request is answered here with a JSON-RPC error, and meets the one call that it belongs to.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Final
from urllib.parse import parse_qs
from urllib.request import getproxies, proxy_bypass

import httpx2
from mcp.client._transport import TransportStreams
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED, INTERNAL_ERROR

from sympozium_mcp.access import Access
from sympozium_mcp.oauth import provider
from sympozium_mcp.process import MAX_MESSAGE
from sympozium_mcp.secrets import Redactor
from sympozium_mcp.wire import BROKEN, UNIT, UNREACHABLE, Meter, Wire, watched

CONNECT_WITHIN: Final = 10.0
"""Seconds for a connection, its TLS, and for writing a request."""
NOTIFY_WITHIN: Final = 10.0
"""Seconds for the answer to what needs none: everything sent later waits behind it."""
FAREWELL_WITHIN: Final = 1.0
"""Seconds for ending a session at the server."""

MOST_REDIRECTS: Final = 5
"""Redirects of one request that are followed, all at the server's own origin."""
_REDIRECTS: Final = "sympozium.redirects"
"""Where a request says how many redirects led to it: the next one takes it over."""

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

GETS_A_SECOND: Final = 2.0
GETS_AT_ONCE: Final = 20.0
"""Event streams that are opened again and again: the server says how soon, and may say at once."""


def http(
    access: Access, wire: Wire, redactor: Redactor
) -> tuple[httpx2.AsyncClient, AbstractAsyncContextManager[TransportStreams]]:
    """The HTTP client of one connection, to be entered first, and the transport over it."""
    client = httpx2.AsyncClient(
        headers={"accept-encoding": "identity", **access.headers},  # a bound on bytes is then one on memory
        timeout=httpx2.Timeout(CONNECT_WITHIN, read=None),  # an answer takes as long as the call may
        auth=provider(access, redactor) if access.oauth else None,
        transport=Guarded(Routed(redactor), wire, redactor),
    )
    inner = streamable_http_client(access.server.url, http_client=client, max_sse_event_size=MAX_MESSAGE)
    return client, watched(inner, wire)


class Routed(httpx2.AsyncBaseTransport):
    """Directly, or through the proxy that the environment names for the address: httpx2 does so only for itself."""

    def __init__(self, redactor: Redactor) -> None:
        self._proxies = getproxies()
        self._ways: dict[str | None, httpx2.AsyncHTTPTransport] = {}
        for proxy in self._proxies.values():
            redactor.add(httpx2.URL(proxy).password if "@" in proxy else "")

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        proxy = None if proxy_bypass(request.url.host) else self._proxies.get(request.url.scheme)
        if proxy not in self._ways:
            self._ways[proxy] = httpx2.AsyncHTTPTransport(proxy=proxy)
        return await self._ways[proxy].handle_async_request(request)

    async def aclose(self) -> None:
        for way in self._ways.values():
            await way.aclose()


class Guarded(httpx2.AsyncBaseTransport):
    """Wraps the transport of httpx2."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, wire: Wire, redactor: Redactor) -> None:
        self._inner = inner
        self._wire = wire
        self._redactor = redactor
        self._gets = Meter(GETS_A_SECOND, GETS_AT_ONCE)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != "POST":
            return await self._other(request)
        await request.aread()  # a redirected one is a stream again
        sent = _sent(request)
        if sent is None:
            return await self._authorized(request)
        if "id" not in sent:
            return await self._notified(request)
        return await self._asked(request, sent["id"])

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _authorized(self, request: httpx2.Request) -> httpx2.Response:
        """A request for a token. What is asked with and what is given becomes a secret before anybody reads it."""
        for credential in parse_qs(request.content.decode(errors="replace")).get("client_assertion", ()):
            self._redactor.add(credential)
        response = await self._bounded(await self._inner.handle_async_request(request))
        for token in _tokens(response.content):
            self._redactor.add(token)
        return response

    async def _other(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            await self._gets.take()
            return await self._bounded(await self._inner.handle_async_request(request))
        async with asyncio.timeout(FAREWELL_WITHIN):
            return await self._bounded(await self._inner.handle_async_request(request))

    async def _notified(self, request: httpx2.Request) -> httpx2.Response:
        """A notification: whether it arrived cannot be known, and its failure must not end the session."""
        try:
            async with asyncio.timeout(NOTIFY_WITHIN):
                return await self._bounded(await self._inner.handle_async_request(request))
        except (httpx2.TransportError, TimeoutError):
            return httpx2.Response(202)

    async def _asked(self, request: httpx2.Request, request_id: object) -> httpx2.Response:
        """A request: what fails becomes its answer."""
        try:
            response = await self._bounded(await self._inner.handle_async_request(request))
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            why = f"it cannot be reached: {_unreached(request.url, error)}"
            self._wire.end(why)
            return _error(request_id, INTERNAL_ERROR, why, UNREACHABLE)
        except _Refused as refused:
            return _error(request_id, INTERNAL_ERROR, str(refused))
        except httpx2.TransportError as error:
            return _error(request_id, CONNECTION_CLOSED, f"{BROKEN}: {error or type(error).__name__}")
        if response.has_redirect_location and _redirected(request) > MOST_REDIRECTS:
            place = request.url.copy_with(userinfo=b"", query=None, fragment=None)
            why = f"it redirects without end, {MOST_REDIRECTS} times were followed, the last to {place}"
            return _error(request_id, INTERNAL_ERROR, why, UNREACHABLE)
        if response.is_error and not _speaks_for_itself(response):
            await response.aclose()  # it may be an event stream
            return _with_words(response, request_id)
        return response

    async def _bounded(self, response: httpx2.Response) -> httpx2.Response:
        """Read whole what is no event stream. Raises _Refused and httpx2.TransportError."""
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise _Refused("its answer is compressed, and so has no bound")
        stream = response.stream
        assert isinstance(stream, httpx2.AsyncByteStream)
        if response.headers.get("content-type", "").lower().startswith("text/event-stream"):
            response.stream = _Metered(stream, self._wire.meter)
            return response
        body = bytearray()
        try:
            async for chunk in stream:
                body += chunk
                if len(body) > MAX_MESSAGE:
                    raise _Refused(f"its answer has more than {MAX_MESSAGE >> 20} MiB")
                await self._wire.meter.take(len(chunk) / UNIT)
        finally:
            await response.aclose()
        return httpx2.Response(
            response.status_code, headers=response.headers, content=bytes(body), extensions=response.extensions
        )


class _Refused(httpx2.TransportError):
    """An answer that is not read."""


class _Metered(httpx2.AsyncByteStream):
    """An event stream, read no faster than its server may send."""

    def __init__(self, inner: httpx2.AsyncByteStream, meter: Meter) -> None:
        self._inner = inner
        self._meter = meter

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            await self._meter.take(len(chunk) / UNIT)
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


def _unreached(url: httpx2.URL, error: httpx2.TransportError) -> str:
    """Why: an address of this host means the one where the bridge runs, which may be a container."""
    refused = any(isinstance(cause, ConnectionRefusedError) for cause in _causes(error))
    if not refused or _proxied(url):
        return str(error) or type(error).__name__
    port = url.port or (443 if url.scheme == "https" else 80)
    where = " where the MCP bridge runs" if url.host in _LOOPBACK else ""
    return f"nothing listens at {url.host}:{port}{where}"


def _proxied(url: httpx2.URL) -> bool:
    return not proxy_bypass(url.host) and url.scheme in getproxies()


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what led to it."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            yield from error.exceptions
        error = error.__cause__ or error.__context__


def _sent(request: httpx2.Request) -> dict[str, Any] | None:
    """The JSON-RPC message in a request; None when it is something else."""
    try:
        found = json.loads(request.content)
    except (ValueError, httpx2.RequestNotRead):
        return None
    return found if isinstance(found, dict) and "jsonrpc" in found else None


def _redirected(request: httpx2.Request) -> int:
    """How many redirects there were with the one that answers ``request``."""
    count = int(request.extensions.get(_REDIRECTS, 0)) + 1
    request.extensions[_REDIRECTS] = count
    return count


def _tokens(data: bytes) -> list[str]:
    try:
        found = json.loads(data)
    except ValueError:
        return []
    values = (found.get(f"{kind}_token") for kind in ("access", "refresh", "id")) if isinstance(found, dict) else ()
    return [value for value in values if isinstance(value, str)]


def _with_words(response: httpx2.Response, request_id: object) -> httpx2.Response:
    """The same refusal, with its status as the message: the mcp package would drop it."""
    words = f"HTTP {response.status_code} {response.reason_phrase}".strip()
    found = _error(request_id, INTERNAL_ERROR, words, status=response.status_code)
    for name in ("www-authenticate", "retry-after"):
        if name in response.headers:
            found.headers[name] = response.headers[name]
    return found


def _speaks_for_itself(response: httpx2.Response) -> bool:
    """Does the mcp package know what it means: 404, or an error of JSON-RPC? A gateway's ``error`` is mere text."""
    if response.status_code == httpx2.codes.NOT_FOUND:
        return True
    if not response.headers.get("content-type", "").lower().startswith("application/json"):
        return False
    try:
        found = json.loads(response.content)
    except ValueError:
        return False
    return isinstance(found, dict) and isinstance(found.get("error"), dict)


def _error(request_id: object, code: int, message: str, data: object = None, *, status: int = 500) -> httpx2.Response:
    error = {"code": code, "message": message, **({"data": data} if data is not None else {})}
    return httpx2.Response(status, json={"jsonrpc": "2.0", "id": request_id, "error": error})
