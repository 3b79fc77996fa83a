"""Reading a run's messages in the order of the stream, from a sequence on, and then as they come."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections import deque
from dataclasses import dataclass
from typing import Final

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from sympozium_protocol import clock
from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Open, Opened, Turned
from sympozium_protocol.bus.faults import Away, NobodyThere, refused
from sympozium_protocol.bus.link import Link, decode_answer
from sympozium_protocol.bus.subjects import STREAM, RunKey
from sympozium_protocol.messages.base import InvalidDocument

BATCH: Final = 256
_CROWDED: Final = 10026
ROOM: Final = 4 << 20
"""Bytes of one batch: a server hangs up on who asks for more than he takes."""
_FULL: Final = frozenset({"message size exceeds maxbytes", "batch completed"})
BEAT: Final = 5.0
"""Seconds after which the server says that it has nothing; twice that in silence is a reader that is gone."""

GONE_AFTER: Final = 60.0
"""Seconds after which the server forgets a reader that asks for nothing."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A message of the stream. ``time`` is the server's, RFC 3339."""

    seq: int
    subject: str
    time: str
    data: bytes


def consumer(run: RunKey, name: str, after: int) -> dict[str, object]:
    """Pure: a reader as JetStream's API has it."""
    return {
        "stream_name": STREAM,
        "config": {
            "name": name,
            "filter_subject": subjects.everything(run),
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": after + 1,
            "ack_policy": "none",
            "inactive_threshold": int(GONE_AFTER * 1e9),
            "mem_storage": True,
            "num_replicas": 1,
        },
    }


async def make_reader(link: Link, run: RunKey, name: str, after: int) -> int:
    """Make the reader ``name`` anew, with the rights of a trusted connection; how many messages wait for it.

    Raises Away, Ended (BusRefused).
    """
    create = f"$JS.API.CONSUMER.CREATE.{STREAM}.{name}.{subjects.everything(run)}"
    try:
        await link.request(f"$JS.API.CONSUMER.DELETE.{STREAM}.{name}", b"")
        found = decode_answer(await link.request(create, json.dumps(consumer(run, name, after)).encode()))
    except NobodyThere:
        raise refused("this NATS server has no JetStream, or keeps it from us") from None
    if error := found.get("error"):
        if error.get("err_code") == _CROWDED:
            raise Away(f"the server has no room for a reader of {run}: {error.get('description', '')}")
        if error.get("err_code") == 10059:
            raise Away(f"there is no stream {STREAM} yet")
        raise refused(f"a reader of {run} cannot be made: {error.get('description', 'no reason was given')}")
    return int(found.get("num_pending", 0))


async def delete_reader(link: Link, name: str) -> None:
    """Nothing when it is gone. Raises Away."""
    with contextlib.suppress(NobodyThere):
        await link.request(f"$JS.API.CONSUMER.DELETE.{STREAM}.{name}", b"")


class Reader:
    """Follows one run on one connection. Open it with ``open_reader``."""

    def __init__(self, link: Link, name: str, pending: int, *, onward: bool = True, batch: int = BATCH) -> None:
        self._link = link
        self._name = name
        self._onward = onward
        self._batch = batch
        self._inbox = link.inbox(f"n.{secrets.token_hex(4)}")
        self._subscription: Subscription | None = None
        self.pending = pending
        """Messages that were in the stream when it was opened and have not been given out yet."""
        self._ready: deque[Stored] = deque()
        self._news = asyncio.Event()
        self._wanted = 0
        self._broken = ""

    def wake(self) -> None:
        self._news.set()

    async def next(self) -> Stored:
        """The next message, whenever it comes. Raises Away."""
        while not self._ready:
            if self._broken:
                raise Away(self._broken)
            if self._wanted <= self._batch // 2:
                await self._ask()
            await self._wait()
        self.pending = max(0, self.pending - 1)
        return self._ready.popleft()

    async def open(self) -> None:
        """Raises Away."""
        self._link.tell_when_lost(self.wake)
        self._subscription = await self._link.subscribe(self._inbox, self._heard)

    async def close(self) -> None:
        """Another may be opened after it on the same connection."""
        self._link.forget(self.wake)
        if self._subscription is not None:
            await self._link.unsubscribe(self._subscription)

    async def _ask(self) -> None:
        batch = self._batch if self._onward else min(self._batch, self.pending - self._wanted)
        if batch <= 0:
            return
        self._wanted += batch
        value = {
            "batch": batch,
            "max_bytes": ROOM,
            "expires": int(2 * BEAT * 1e9),
            "idle_heartbeat": int(BEAT * 1e9),
        }
        subject = subjects.next_message(self._name)
        await self._link.publish(subject, json.dumps(value).encode(), reply=self._inbox)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(3 * BEAT):
                await self._news.wait()
        except TimeoutError:
            raise Away("the reader fell silent") from None
        self._news.clear()
        if self._link.lost:
            raise Away("the connection was lost")

    async def _heard(self, message: Msg) -> None:
        self._news.set()
        status = message.headers.get("Status") if message.headers else None
        description = (message.headers or {}).get("Description", "")
        if status is None:
            self._wanted = max(0, self._wanted - 1)
            self._ready.append(stored(message))
        elif status == "100":
            return
        elif status == "408" or (status == "409" and description.lower() in _FULL):
            self._wanted = 0
        else:
            self._broken = f"the reader ended: {status} {description}"


async def open_reader(link: Link, run: RunKey, after: int = 0, *, onward: bool = True, batch: int = BATCH) -> Reader:
    """The one reader that the connection may have, anew: one that was opened before it gets no more.

    ``onward``: is more wanted than was pending when it was opened? ``batch``: so many are asked for at a time.
    Raises Away, Ended (BusRefused).
    """
    if link.trusted:
        pending = await make_reader(link, run, link.reader, after)
    else:
        try:
            answer = await link.request(subjects.reader(run, link.reader), Open(after=after).encode())
        except NobodyThere:
            raise Away("the bus's keeper is not there") from None
        pending = _opened(answer, run)
    found = Reader(link, link.reader, pending, onward=onward, batch=batch)
    await found.open()
    return found


def _opened(answer: bytes, run: RunKey) -> int:
    try:
        return Opened.decode(answer).pending
    except InvalidDocument:
        pass
    try:
        why = Turned.decode(answer).why
    except InvalidDocument as fault:
        raise Away(f"the bus's keeper could not be understood: {fault.why}") from None
    raise Away(f"the bus's keeper has no reader of {run}: {why}")


def stored(message: Msg) -> Stored:
    """A message as a reader delivers it: where it stands in the stream is in its reply subject (JetStream's ack)."""
    parts = message.reply.split(".")
    seq, stamp = (parts[5], parts[7]) if len(parts) == 9 else (parts[7], parts[9])
    return Stored(int(seq), message.subject, clock.utc(int(stamp) / 1e9), bytes(message.data))
