"""One participant elsewhere, as files: what the gate writes in its name."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from sympozium_bridge.journal import Journal
from sympozium_protocol import layout
from sympozium_protocol.bus.gather import Found
from sympozium_protocol.bus.places import place_of, reply_path
from sympozium_protocol.files import Directory, Exists, digest
from sympozium_protocol.ids import id_of
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.calls import Manifest, Outcome, Reply, Started, TextPart, Verdict
from sympozium_protocol.messages.spec import ParticipantSpec
from sympozium_protocol.unready import say_unready
from sympozium_protocol.waiting import DEAD_AFTER
from sympozium_protocol.wellknown import WELL_KNOWN

AGAIN_AFTER: Final = 2.0
"""Seconds between two tries when nobody is there to take over a call that was begun."""

MODEL_PATIENCE: Final = 30.0
"""Seconds in which nobody may be there for the model, without which no run goes on: a gateway is being replaced."""
MODEL_AGAIN_AFTER: Final = 0.5

PROGRESS: Final = 1 << 20


@dataclass(slots=True)
class Asked:
    """A call that may be made and has no reply yet. ``mark``: what must be in the stream before it is sent."""

    id: str
    call: bytes
    verdict: bytes
    mark: int
    sent: bool = False
    taken: bool = False
    """Has somebody had it, as far as is known?"""
    heard: float = 0.0
    """When there was last a sign of whoever has it, by the monotonic clock."""
    next: float = 0.0
    tried: float | None = None
    """When nobody was there for the first time."""
    progress: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def due(self, now: float) -> bool:
        """Is it to be sent, or sent again?"""
        if now < self.next:
            return False
        return not self.taken or now - self.heard > DEAD_AFTER


class StandIn:
    """Raises FileFault where a directory cannot be used."""

    def __init__(self, root: Directory, participant: ParticipantSpec) -> None:
        self.participant = participant
        self.name = participant.name
        self.service = participant.answered_by
        self.own = root.make((self.name,))
        self.open: dict[str, Asked] = {}
        self._calls = root.open(layout.calls(self.name))
        self._withdrawn = root.open(layout.withdrawn(self.name))
        self._verdicts = root.make(layout.verdicts(self.name))
        self._tools = root.make(layout.tools(self.name))
        self._started = root.make(layout.started(self.name))
        self._replies = root.make(layout.replies(self.name))
        self._progress = root.make(layout.progress(self.name))
        self._blobs = root.make(layout.blobs(self.name))
        self.offered = bool(self._tools.names())
        if not self.offered:
            self._offer_known()
        self._take_up()

    def _take_up(self) -> None:
        """Calls that a former life let pass, and that have no reply."""
        for name in sorted(self._verdicts.names()):
            call_id = id_of(name)
            if call_id is None or self._replies.has(name):
                continue
            data = self._verdicts.read(name) or b""
            verdict = Verdict.decode(data)
            call = self._calls.read(name)
            if verdict.decision == "allow" and call is not None and digest(call) == verdict.digest:
                self.begin(call_id, call, data, 0)
                # a former life may have sent it: whoever has it now decides by what the stream has
                self.open[call_id].sent = self.open[call_id].taken = True

    # -- from the gate ---------------------------------------------------------------------------------------------

    def begin(self, call_id: str, call: bytes, verdict: bytes, mark: int) -> None:
        """``started`` before anything is sent."""
        try:
            self._started.write(call_id, Started(id=call_id, digest=digest(call)).encode())
        except Exists:
            pass
        self.open[call_id] = Asked(call_id, call, verdict, mark)

    def is_withdrawn(self, call_id: str) -> bool:
        return self._withdrawn.has(call_id)

    # -- from the bus ----------------------------------------------------------------------------------------------

    def offer(self, data: bytes) -> None:
        """The service's Manifest, as far as the run's RunSpec knows its tools. Raises InvalidDocument."""
        found = Manifest.decode(data)
        self._publish(Manifest(participant=self.name, tools=tuple(t for t in found.tools if self._knows(t.name))))

    def _offer_known(self) -> None:
        """Tools that are the same everywhere need nobody to describe them, so a run need not wait for anybody."""
        if self.participant.tools and all(tool.name in WELL_KNOWN for tool in self.participant.tools):
            tools = tuple(WELL_KNOWN[tool.name] for tool in self.participant.tools)
            self._publish(Manifest(participant=self.name, tools=tools))

    def _knows(self, tool: str) -> bool:
        return self.participant.tool(tool) is not None

    def _publish(self, manifest: Manifest) -> None:
        self._tools.write("1.json", manifest.encode())
        self.own.remove(layout.UNREADY_FILE)
        self.offered = True

    def say_unready(self, why: str) -> None:
        """There is no manifest yet."""
        say_unready(self.own, f"{why} ({self.service})")

    def sign_of_life(self, call_id: str, said: bytes) -> None:
        """``said``: the digest of the Call. Not everybody who can be heard here has the call."""
        asked = self.open.get(call_id)
        if asked is not None and said == digest(asked.call).encode():
            asked.heard = time.monotonic()

    def show(self, call_id: str, progress: bytes) -> None:
        """Lossy, and bounded."""
        asked = self.open.get(call_id)
        room = PROGRESS - asked.progress if asked else 0
        if asked and progress and room > 0:
            self._progress.append(call_id, progress[:room])
            asked.progress += len(progress)

    def take(self, found: Found, call_id: str) -> str:
        """What the stream has of one of its calls; why it cannot be used, if it cannot."""
        place, _ = place_of(found.path)
        if place == layout.blobs(self.name):
            self._blobs.put_blob(found.data)
            return ""
        asked = self.open.get(call_id)
        if asked is None:
            return "" if self._replies.has(f"{call_id}.json") else f"{found.path}: nobody asked for it"
        asked.sent = asked.taken = True
        asked.heard = time.monotonic()
        if found.path == reply_path(self.name, call_id):
            return self._take_reply(asked, found)
        return ""

    def _take_reply(self, asked: Asked, found: Found) -> str:
        try:
            reply = Reply.decode(found.data)
        except InvalidDocument as fault:
            return f"{found.path}: {fault.why}"
        if reply.id != asked.id or reply.digest != digest(asked.call):
            return f"{found.path}: is the reply to another call"
        self._write(asked.id, found.data)
        return ""

    # -- in its own name -------------------------------------------------------------------------------------------

    def nobody(self, asked: Asked, journal: Journal) -> None:
        """There is nobody to take it. If somebody had it, another may come who takes it over."""
        now = time.monotonic()
        asked.tried = asked.tried if asked.tried is not None else now
        if asked.taken:
            asked.next = now + AGAIN_AFTER
            return
        if self.participant.role == "model" and now - asked.tried < MODEL_PATIENCE:
            asked.next = now + MODEL_AGAIN_AFTER
            return
        self.answer(asked, "unavailable", f"Nobody on the bus answers for {self.name} now.", journal)

    def answer(self, asked: Asked, outcome: Outcome, words: str, journal: Journal) -> None:
        """A reply of the gate's own: nothing was done."""
        reply = Reply(id=asked.id, digest=digest(asked.call), outcome=outcome, content=(TextPart(text=words),))
        data = reply.encode()
        self._write(asked.id, data)
        journal.add(reply_path(self.name, asked.id), data)

    def restore(self, path: str, data: bytes) -> bool:
        """A reply of ours that the stream has already."""
        place, name = place_of(path)
        if place != layout.replies(self.name):
            return False
        self._write(name.removesuffix(".json"), data)
        return True

    def _write(self, call_id: str, data: bytes) -> None:
        try:
            self._replies.write(f"{call_id}.json", data, durable=True)
        except Exists:
            pass
        self._progress.remove(call_id)
        asked = self.open.pop(call_id, None)
        if asked is not None:
            asked.news.set()
