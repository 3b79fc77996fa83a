"""One connection to the bus: requests, subscriptions, and the word that it is lost.

A lost connection is not mended behind the back of who uses it: whatever was asked raises Away, and the user opens
another and looks where things stand.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from sympozium_protocol.bus.faults import Away, Forbidden, NobodyThere, refused
from sympozium_protocol.bus.settings import BusSettings
from sympozium_protocol.bus.subjects import asks_a_gate, inbox, reader_name
from sympozium_protocol.process import log

Message: TypeAlias = Msg
"""A message as it was heard: ``subject``, ``reply``, ``data``, ``headers``."""
Heard: TypeAlias = Subscription
"""What is listened to, to be let go of."""

CONNECT_WITHIN: Final = 5.0
ANSWER_WITHIN: Final = 5.0
PING_EVERY: Final = 2
"""Seconds; a server that leaves two pings unanswered is away."""

# what it has to say is told to us as well
logging.getLogger("nats.aio.client").addHandler(logging.NullHandler())
logging.getLogger("nats.aio.client").propagate = False
# said at each end of a connection that the library made a TLS one after it was open
logging.getLogger("asyncio").addFilter(lambda said: "eof_received() has no effect" not in str(said.msg))

_NO_TLS: Final = "the server offers no TLS"
_NO_RESPONDERS: Final = "503"
_PUBLISHED: Final = "permissions violation for publish"
_REFUSALS: Final = ("authorization violation", "authentication", "permissions violation", "user authentication")


class Untended(Exception):
    """Something that the library left behind."""


class _Client(Client):
    """One that keeps what it has to say to itself where it was promised TLS and the server offers none."""

    def __init__(self, *, secure: bool, tell: Callable[[Exception], None]) -> None:
        super().__init__()
        self._secure = secure
        self._tell = tell

    def _connect_command(self) -> bytes:
        if self._secure and not self._server_info.get("tls_required"):
            raise nats.errors.Error(_NO_TLS)
        return super()._connect_command()

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        """The library tells nobody of an end at which what it still had to say could not be sent."""
        try:
            await super()._close(status, do_cbs)
        except (OSError, TypeError) as error:
            self._tell(error)
            if do_cbs and self._closed_cb:
                await self._closed_cb()


class Link:
    """An open connection. Made by ``connect``."""

    def __init__(self, client: Client, settings: BusSettings, reader: str) -> None:
        self.client = client
        self.trusted = settings.token_file is None
        """Does it come without a token, so that the server lets it do what it likes?"""
        self.reader = reader
        """The name of the one reader that it may have."""
        self.lost = False
        self.max_payload = client.max_payload
        self.guarded = bool(client._server_info.get("auth_required"))
        """Does the server ask who comes?"""
        self._waiting: dict[str, asyncio.Future[Msg]] = {}
        self._subjects: dict[str, str] = {}
        self._inbox = inbox(reader)
        self._asked = 0
        self._tell: list[Callable[[], None]] = []

    def tell_when_lost(self, tell: Callable[[], None]) -> None:
        """Call it when the connection is lost, or closed."""
        self._tell.append(tell)

    def forget(self, tell: Callable[[], None]) -> None:
        """The opposite of ``tell_when_lost``."""
        if tell in self._tell:
            self._tell.remove(tell)

    async def _listen(self) -> None:
        for place in ("r", "p"):
            await self.client.subscribe(f"{self._inbox}.{place}.*", cb=self._answer)

    async def _answer(self, message: Msg) -> None:
        waiter = self._waiting.pop(message.subject.removeprefix(f"{self._inbox}."), None)
        if waiter is not None and not waiter.done():
            waiter.set_result(message)

    def _lose(self) -> None:
        self.lost = True
        for tell in tuple(self._tell):
            tell()
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_exception(Away("the connection was lost"))
        self._waiting.clear()

    def _forbid(self, words: str) -> bool:
        """Was it one of our questions that the server did not let through? Then who asked is told."""
        asked = [token for token, subject in self._subjects.items() if f'"{subject}"' in words]
        for waiter in filter(None, (self._waiting.pop(token, None) for token in asked)):
            if not waiter.done():
                waiter.set_exception(Forbidden("we may not say that here"))
        return bool(asked)

    async def request(
        self, subject: str, data: bytes, *, headers: Mapping[str, str] | None = None, within: float = ANSWER_WITHIN
    ) -> bytes:
        """Ask, and wait for the one answer. Raises Away (Forbidden where we may not), NobodyThere."""
        self._asked += 1
        token = f"{'p' if asks_a_gate(subject) else 'r'}.{self._asked}"
        self._subjects[token] = subject.lower()  # as errors have it
        waiter: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._waiting[token] = waiter
        timer = asyncio.get_running_loop().call_later(within, self._late, token)
        try:
            await self.publish(subject, data, reply=f"{self._inbox}.{token}", headers=headers)
            message = await waiter
        finally:
            timer.cancel()
            self._waiting.pop(token, None)
            self._subjects.pop(token, None)
        if message.headers and message.headers.get("Status") == _NO_RESPONDERS:
            raise NobodyThere(subject)
        return bytes(message.data)

    def _late(self, token: str) -> None:
        waiter = self._waiting.pop(token, None)
        if waiter is not None and not waiter.done():
            waiter.set_exception(Away("no answer in time"))

    async def publish(
        self, subject: str, data: bytes, *, reply: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Say it; whether anybody heard is not known. Raises Away."""
        try:
            await self.client.publish(subject, data, reply, headers=dict(headers) if headers else None)
        except nats.errors.MaxPayloadError:
            raise refused(
                f"a message of {len(data)} bytes is more than the server takes ({self.max_payload})"
            ) from None
        except (nats.errors.Error, OSError) as error:
            raise Away(str(error)) from None

    async def subscribe(
        self, subject: str, heard: Callable[[Msg], Awaitable[None]], *, queue: str = ""
    ) -> Subscription:
        """Call ``heard`` for each message, one after the other. Raises Away."""
        try:
            return await self.client.subscribe(subject, queue=queue, cb=heard)
        except (nats.errors.Error, OSError) as error:
            raise Away(str(error)) from None

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Hear no more of it; nothing where the connection is lost."""
        with contextlib.suppress(nats.errors.Error, OSError):
            await subscription.unsubscribe()

    async def drain(self, subscription: Subscription) -> None:
        """Hear no more of it, but what the server sent already. Nothing where the connection is lost."""
        with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
            async with asyncio.timeout(ANSWER_WITHIN):
                await subscription.drain()  # type: ignore[no-untyped-call]

    def inbox(self, name: str) -> str:
        """A subject of this connection's own, below which it alone can listen."""
        return f"{self._inbox}.{name}"

    async def settled(self) -> None:
        """Until the server has seen everything said so far. Raises Away."""
        try:
            # twice: the library sends its ping ahead of what is still to be sent, and with it what waits behind
            for _ in range(2):
                await self.client.flush(timeout=int(ANSWER_WITHIN))
        except (TimeoutError, nats.errors.Error, OSError) as error:
            raise Away(str(error) or "no answer in time") from None

    async def close(self) -> None:
        self._lose()
        with contextlib.suppress(nats.errors.Error, OSError, asyncio.TimeoutError):
            async with asyncio.timeout(1):
                await self.client.close()


@dataclass(frozen=True, slots=True)
class Login:
    """A user of the server's own configuration, an nkey: its public key, and what signs with the private one."""

    user: str
    sign: Callable[[bytes], bytes]

    def signature(self, nonce: str) -> bytes:
        return base64.b64encode(self.sign(nonce.encode()))


def _log(error: Exception) -> None:
    log("bus", error=f"{type(error).__name__}: {error}")


async def connect(
    settings: BusSettings, *, principal: str, login: Login | None = None, tell: Callable[[Exception], None] = _log
) -> Link:
    """Open a connection. Raises Away, and Ended (BusRefused) when the server does not want us; with a token that
    others renew, Away then too.

    ``principal``: as whom it reads (``subjects.run_principal``, ``person_principal``), as the token has it.
    ``tell``: is told what goes wrong beside what was asked.
    """
    asyncio.get_running_loop().set_exception_handler(partial(_untended, tell))
    client, nonce = _Client(secure=settings.secure, tell=tell), secrets.token_hex(8)
    reader = reader_name(principal, nonce)
    # without a word of its own for that: it takes the name from a package that has no wheels
    client._public_nkey = login.user if login else None
    found: list[Link] = []

    async def closed() -> None:
        for link in found:
            link._lose()

    async def wrong(error: Exception) -> None:
        if found and not (_PUBLISHED in str(error).lower() and found[0]._forbid(str(error).lower())):
            tell(error)
        if isinstance(error, OSError | TimeoutError) and not found:
            raise error  # the library would go on trying the one server that it knows until our time is over

    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            await client.connect(
                settings.url,
                name=nonce,
                token=settings.token(),
                signature_cb=login.signature if login else None,
                tls=settings.tls(),
                inbox_prefix=inbox(reader),
                allow_reconnect=False,
                ping_interval=PING_EVERY,
                max_outstanding_pings=2,
                connect_timeout=int(CONNECT_WITHIN),
                error_cb=wrong,
                closed_cb=closed,
                disconnected_cb=closed,
            )
    except (nats.errors.Error, OSError, TimeoutError, ConnectionError) as error:
        with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
            async with asyncio.timeout(1):
                await client.close()
        raise _fault(settings, error) from None
    link = Link(client, settings, reader)
    found.append(link)
    await link._listen()
    try:
        await link.settled()  # a server that hangs up without a word looks to the library as one that lets us in
    except Away:
        await link.close()
        raise
    return link


def _untended(tell: Callable[[Exception], None], loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The library ends its own tasks without looking after them when a server goes: that is one line, not a trace."""
    task = context.get("task") or context.get("future")
    coroutine = task.get_coro() if isinstance(task, asyncio.Task) else None
    if getattr(coroutine, "__qualname__", "").startswith(("Client.", "Subscription.")):
        tell(context.get("exception") or Untended(context.get("message", "")))
    else:
        loop.default_exception_handler(context)


def _fault(settings: BusSettings, error: Exception) -> Exception:
    if isinstance(error, ssl.SSLCertVerificationError):
        return refused(f"{settings.url}: its certificate is not accepted: {error.verify_message.lower()}")
    words = _words(error).removeprefix("nats: ") or "no answer in time"
    if words == _NO_TLS:
        return refused(f"{settings.url}: {_NO_TLS}; nothing was said to it")
    if any(refusal in words.lower() for refusal in _REFUSALS):
        hint = "it does not accept this token" if settings.token_file else "it wants a token"
        why = f"{settings.url}: {hint} ({words.strip(chr(39)).lower()})"
        return Away(why) if settings.renewed else refused(why)
    return Away(f"{settings.url}: {words.lower()}")


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno) if error.errno > 0 else error.strerror or ""
    return str(error)


@contextlib.asynccontextmanager
async def connected(
    settings: BusSettings, *, principal: str, login: Login | None = None, tell: Callable[[Exception], None] = _log
) -> AsyncIterator[Link]:
    """A connection for the time of a ``with``. Raises as ``connect``."""
    link = await connect(settings, principal=principal, login=login, tell=tell)
    try:
        yield link
    finally:
        await link.close()


def decode_answer(data: bytes) -> dict[str, Any]:
    """What JetStream answers. Raises Away when it is no object."""
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Away("the server's answer could not be read")
    return value
