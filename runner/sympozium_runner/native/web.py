"""One GET, guarded: every connection, after every redirect, goes to an address that was judged.

The host is resolved here, the addresses are judged, and the request is sent to one of them by
number, with the name kept in Host and in TLS: a name that answers differently the next time
changes nothing. Environment proxies are ignored, cookies forgotten, connections not reused (one
made for a name must not serve another name at the same address).
"""

from __future__ import annotations

import asyncio
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from sympozium_runner.native.addresses import fault_of_address
from sympozium_runner.native.paths import Refused

if TYPE_CHECKING:
    import httpx2

REDIRECTS: Final = 5
_HEADERS: Final = {
    "User-Agent": "sympozium-agent",
    "Accept": "text/html, text/plain, application/json, */*;q=0.5",
    "Accept-Encoding": "gzip",
}

Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host for a port. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a server answered. ``whole``: is the body all of it?"""

    url: str
    status: int
    content_type: str
    body: bytes
    whole: bool
    declared: int | None
    """Bytes that the server said the body has."""


async def resolve(host: str, port: int) -> list[str]:
    """By the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def get(
    url: str, limit: int, *, private: bool, wanted: Callable[[str], bool], resolve: Resolve = resolve
) -> Fetched:
    """Fetch at most ``limit`` bytes of a body whose content type is ``wanted`` (none of another).

    Raises Refused, with words for the model.
    """
    import httpx2  # here: a run that fetches nothing need not load it

    # trust_env in the transport: SSL_CERT_FILE names the authorities; proxies are the client's, and off
    transport = httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_keepalive_connections=0))
    try:
        async with httpx2.AsyncClient(transport=transport, trust_env=False, timeout=None) as client:
            target = httpx2.URL(url)
            for _ in range(REDIRECTS + 1):
                client.cookies.clear()
                found = await _hop(client, target, limit, private, wanted, resolve)
                if isinstance(found, Fetched):
                    return found
                target = target.join(found)
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise Refused(f"This is no URL that can be fetched: {error}.") from None
    except httpx2.HTTPError as error:
        raise Refused(f"The request failed: {type(error).__name__} {error}".rstrip() + ".") from None
    raise Refused(f"There were more than {REDIRECTS} redirects.")


async def _hop(
    client: httpx2.AsyncClient,
    target: httpx2.URL,
    limit: int,
    private: bool,
    wanted: Callable[[str], bool],
    resolve: Resolve,
) -> Fetched | str:
    """The answer, or where it redirects to."""
    _check(target)
    port = target.port or (443 if target.scheme == "https" else 80)
    response = await _send(client, target, await _addresses(target.host, port, private, resolve))
    try:
        location = response.headers.get("location")
        if response.status_code in (301, 302, 303, 307, 308) and location:
            return str(location)
        kind = response.headers.get("content-type", "")
        declared = response.headers.get("content-length", "")
        length = int(declared) if declared.isdecimal() and len(declared) < 19 else None
        body, whole = await _body(response, limit) if wanted(kind) else (b"", False)
        return Fetched(str(target), response.status_code, kind, body, whole, length)
    finally:
        await response.aclose()


def _check(target: httpx2.URL) -> None:
    if target.scheme not in ("http", "https"):
        raise Refused(f"Only http and https are fetched, not {target.scheme or 'a URL without a scheme'}.")
    if not target.host:
        raise Refused("The URL names no host.")
    if target.userinfo:
        raise Refused("A URL with a user name or password in it is not fetched.")


async def _addresses(host: str, port: int, private: bool, resolve: Resolve) -> list[str]:
    """Those of the host's addresses that may be connected to; at least one. Raises Refused."""
    try:
        found = await resolve(host, port)
    except (OSError, UnicodeError):
        raise Refused(f"The host {host} is not known.") from None
    faults = {address: fault_of_address(address, private=private) for address in found}
    allowed = [address for address, fault in faults.items() if fault is None]
    if not allowed:
        why = "; ".join(f"{address} {fault}" for address, fault in faults.items()) or "it has no address"
        raise Refused(f"Connecting to {host} is not allowed: {why}.")
    return allowed


async def _send(client: httpx2.AsyncClient, target: httpx2.URL, addresses: list[str]) -> httpx2.Response:
    """Ask the first address that takes the connection. Raises httpx2.HTTPError."""
    import httpx2

    for number, address in enumerate(addresses, 1):
        request = client.build_request("GET", target, headers=_HEADERS)  # Host comes from the name ...
        request.extensions["sni_hostname"] = target.raw_host.decode("ascii")  # ... and so does the certificate's name
        request.url = target.copy_with(host=address)
        try:
            return await client.send(request, stream=True)
        except httpx2.ConnectError:
            if number == len(addresses):
                raise
    raise AssertionError("no address")


async def _body(response: httpx2.Response, limit: int) -> tuple[bytes, bool]:
    """At most ``limit`` bytes after decompression, which never makes more than that of what came."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise Refused(f"The server encoded its answer as {encoding:.40}, which was not asked for.")
    body = bytearray()
    async for data in _plain(response, limit, zipped=encoding.endswith("gzip")):
        body += data
        if len(body) > limit:
            return bytes(body[:limit]), False
    return bytes(body), True


async def _plain(response: httpx2.Response, limit: int, *, zipped: bool) -> AsyncIterator[bytes]:
    unzip = zlib.decompressobj(wbits=31)
    async for raw in response.aiter_raw():
        try:
            yield unzip.decompress(raw, limit + 1) if zipped else raw
        except zlib.error:
            raise Refused("The server's answer is damaged: it cannot be decompressed.") from None
        if unzip.eof:
            return
        # with the limit reached the reader stops; nothing of unconsumed_tail is wanted
