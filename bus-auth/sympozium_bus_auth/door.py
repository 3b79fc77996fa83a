"""Who is let in: the server's questions, several at a time, and how many connections one may have."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from typing import Final

from sympozium_bus_auth.callout import Question, admit, judge, read_question, refuse
from sympozium_bus_auth.ended import ended_since
from sympozium_bus_auth.jwts import BadJwt
from sympozium_bus_auth.nkeys import KeyPair
from sympozium_bus_auth.turns import Late, Turns
from sympozium_bus_auth.verifying import Refused, Verifier
from sympozium_protocol.bus.faults import Away, NobodyThere
from sympozium_protocol.bus.link import Link, Message, decode_answer
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.bus.tokens import RunIdentity
from sympozium_protocol.process import log

MOST: Final = 4096
"""Questions that wait for their turn; the server turns away who gets no answer."""
_CONNECTIONS: Final = "$SYS.REQ.SERVER.PING.CONNZ"


class Door:
    """Answers on ``asked`` (account AUTH), counts connections through ``system`` (account SYS), and reads through
    ``keeper`` (account BUS) whether a run has ended, which it may have for ``grace`` seconds."""

    def __init__(
        self, asked: Link, system: Link, keeper: Link, verifier: Verifier, issuer: KeyPair, at_most: int, grace: float
    ) -> None:
        self._asked = asked
        self._system = system
        self._keeper = keeper
        self._grace = grace
        self._verifier = verifier
        self._issuer = issuer
        self._at_most = at_most
        self._admitted: Counter[str] = Counter()
        """At least as many as each principal has: who leaves is not taken off until it matters."""
        self._counting = asyncio.Lock()
        self._turns = Turns()
        self._tasks: set[asyncio.Task[None]] = set()

    async def answer(self, message: Message) -> None:
        """One question. What is not from a server gets no answer."""
        try:
            question = read_question(bytes(message.data))
        except BadJwt as fault:
            log("bus-auth", refused=f"a request: {fault}")
            return
        if len(self._tasks) < MOST:
            task = asyncio.create_task(self._answer(message, question))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Message, question: Question) -> None:
        try:
            async with self._turns.turn(question.host):
                data = await self._judged(question)
        except Late:
            log("bus-auth", late=question.host)
            return
        except Refused as why:
            log("bus-auth", refused=str(why), host=question.host)
            data = refuse(question, self._issuer)
        with contextlib.suppress(Away):  # the server asks again when its client comes again
            await self._asked.publish(message.reply, data)

    async def _judged(self, question: Question) -> bytes:
        verified, may = await judge(question, self._verifier)
        principal = verified.identity.principal
        if isinstance(verified.identity, RunIdentity):
            await self._check_going_on(verified.identity)
        if self._admitted[principal] >= self._at_most:
            async with self._counting:
                await self._count_anew(principal)
        self._admitted[principal] += 1
        log("bus-auth", admitted=principal, host=question.host)
        return admit(question, verified, may, self._issuer, time.time())

    async def _count_anew(self, principal: str) -> None:
        """Raises Refused when there are as many as there may be."""
        self._admitted[principal] = await self._connections(principal)
        if self._admitted[principal] >= self._at_most:
            raise Refused(f"{principal} has {self._admitted[principal]} connections")

    async def _check_going_on(self, run: RunIdentity) -> None:
        """Raises Refused when it ended a while ago: its gate has had the time to see that all is in the stream."""
        since = await ended_since(self._keeper, RunKey(run.namespace, run.run))
        if since is not None and time.time() - since > self._grace:
            raise Refused(f"{run.principal} has ended")

    async def _connections(self, principal: str) -> int:
        asked = json.dumps({"auth": True, "user": principal, "limit": self._at_most}).encode()
        try:
            found = decode_answer(await self._system.request(_CONNECTIONS, asked))
            return len(found["data"]["connections"])
        except (Away, NobodyThere, KeyError, TypeError) as error:
            raise Refused(f"it is not known how many connections {principal} has: {error}") from None
