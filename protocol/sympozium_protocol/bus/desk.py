"""A participant's desk on the bus: calls come as requests, and what is said of them goes into the stream."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from sympozium_protocol import layout
from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Record, Request, record_parts
from sympozium_protocol.bus.faults import Superseded
from sympozium_protocol.bus.lane import Lane
from sympozium_protocol.bus.places import blob_path, reply_path, started_path
from sympozium_protocol.bus.progress import ProgressOut
from sympozium_protocol.exits import Ended
from sympozium_protocol.failpoints import failpoint
from sympozium_protocol.files import Directory
from sympozium_protocol.ledger import Ledger
from sympozium_protocol.messages.calls import Reply, Started
from sympozium_protocol.participant.context import Lost
from sympozium_protocol.participant.desk import PROGRESS_LIMIT, Desk, encode_reply

_BLOB: Final = re.compile(rb'"([0-9a-f]{64})"')


class BusDesk(Desk):
    """Its directories are private, and hold a call's files for as long as it is in hand.

    ``done``: told when a call is not in hand any more.
    """

    answers_all = True

    def __init__(
        self, root: Directory, name: str, ledger: Ledger, progress: ProgressOut, done: Callable[[], None]
    ) -> None:
        for place in (layout.calls(name), layout.withdrawn(name), layout.verdicts(name)):
            root.make(place).close()
        super().__init__(root, name, ledger)
        for unused in (self.own, self.tools, self.started, self.replies, self.progress):
            unused.close()  # of hundreds of runs
        self.in_hand: dict[str, Lane] = {}
        self._asked: deque[str] = deque()
        self._former: dict[str, bytes] = {}
        self._out = progress
        self._tell_done = done
        self._said_of_progress: dict[str, int] = {}

    def lay(self, call_id: str, request: Request, former: bytes | None) -> None:
        """Put a call that is in hand on the desk. ``former``: the ``started`` of who had it. Raises CannotWrite."""
        if former is not None:
            self._former[call_id] = former
        self.calls.write(f"{call_id}.json", request.call.encode())
        self.verdicts.write(f"{call_id}.json", request.verdict.encode())
        self._asked.append(f"{call_id}.json")

    def withdraw(self, call_id: str) -> None:
        if call_id in self.in_hand:
            self.withdrawn.mark(call_id)

    def new_verdicts(self) -> list[str]:
        found = list(self._asked)
        self._asked.clear()
        return found

    def done(self, call_id: str) -> None:
        self.in_hand.pop(call_id, None)
        self._former.pop(call_id, None)
        self._said_of_progress.pop(call_id, None)
        if self.calls.fd >= 0:  # else the run was forgotten meanwhile, with all of this
            self.calls.remove(f"{call_id}.json")
            self.verdicts.remove(f"{call_id}.json")
            self.withdrawn.remove(call_id)
        self._tell_done()

    async def write_started(self, started: Started, *, again: bool) -> None:
        """In the stream before anything is done. Raises Lost.

        Who takes over says what the former life said: files never change, and the former's next word is refused.
        """
        data = self._former[started.id] if again else started.encode()
        await self._say(started.id, record_parts(started_path(self.name, started.id), data))

    async def reply(self, reply: Reply) -> None:
        """In the stream before anybody acts on it. Raises Lost."""
        failpoint("before-reply")
        data = encode_reply(reply)
        await self._out.flush(self._progress(reply.id))
        await self._say(reply.id, self._with_bodies(reply.id, data))
        failpoint("replied")

    async def _say(self, call_id: str, records: Iterator[Record]) -> None:
        try:
            await self.in_hand[call_id].say(records)
        except KeyError:
            raise Lost("it is not in hand any more") from None
        except Superseded:
            raise Lost("another copy spoke of it") from None
        except Ended as refused:
            raise Lost(refused.message) from None

    def _with_bodies(self, call_id: str, reply: bytes) -> Iterator[Record]:
        for found in dict.fromkeys(_BLOB.findall(reply)):
            body = self.blobs.get_blob(found.decode())
            if body is not None:
                yield from record_parts(blob_path(self.name, found.decode()), body)
        yield from record_parts(reply_path(self.name, call_id), reply)

    def append_progress(self, call_id: str, data: bytes) -> None:
        """Lossy: what exceeds the limits, or finds nobody, is dropped."""
        lane, said = self.in_hand.get(call_id), self._said_of_progress.get(call_id, 0)
        data = data[: max(0, PROGRESS_LIMIT - said)]
        if lane and data:
            self._said_of_progress[call_id] = said + len(data)
            self._out.add(self._progress(call_id), data)

    def _progress(self, call_id: str) -> str:
        return subjects.progress(self.in_hand[call_id].run, self.name, call_id) if call_id in self.in_hand else ""
