"""What a person says to a run over the bus: stored before it counts as said."""

from __future__ import annotations

from typing import Final

from sympozium_cli.bus.connecting import at_once, connection
from sympozium_cli.bus.identity import name_of
from sympozium_cli.bus.named import Bus
from sympozium_cli.person import Voice
from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.faults import NobodyThere, refused
from sympozium_protocol.bus.link import decode_answer
from sympozium_protocol.bus.subjects import RunKey, Verb
from sympozium_protocol.messages.console import ConsoleDocument

VERBS: Final[dict[str, Verb]] = {"Answer": "answer", "FollowUp": "send", "Cancel": "cancel"}


class BusVoice(Voice):
    """Speaks to one run, under the name that the bus knows us by."""

    def __init__(self, bus: Bus, run: RunKey) -> None:
        super().__init__(name_of(bus))
        self._bus = bus
        self._run = run

    def _say(self, document: ConsoleDocument) -> None:
        at_once(said_on(self._bus, self._run, document))


async def said_on(bus: Bus, run: RunKey, document: ConsoleDocument) -> None:
    """Stored when this returns. Raises Away, Forbidden, Ended (BusRefused)."""
    await _store(bus, subjects.said(run, VERBS[document.kind], document.by), document.encode())


async def _store(bus: Bus, subject: str, data: bytes) -> None:
    """Raises Away, Ended (BusRefused)."""
    async with connection(bus) as link:
        try:
            answer = decode_answer(await link.request(subject, data))
        except NobodyThere:
            raise refused("no stream takes what people say; was a run ever started on this bus?") from None
        if error := answer.get("error"):
            raise refused(f"the stream did not take it: {error.get('description', 'no reason was given')}")
