"""The inbox: what reaches the agent from outside, numbered by the gate, each source once."""

from __future__ import annotations

from sympozium_bridge.journal import Journal
from sympozium_bridge.places import Places
from sympozium_protocol import layout
from sympozium_protocol.files import BadFile, Exists
from sympozium_protocol.listing import Numbered
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.console import Cancel, FollowUp, Inbound


class Inbox:
    """Takes up what a former life delivered: what a source said once arrives once. Raises BadFile."""

    def __init__(self, places: Places, journal: Journal) -> None:
        self._places = places
        self._journal = journal
        self._sources: set[str] = set()
        self._last = 0
        for number, data in Numbered(places.inbox):
            self._take_up(number, data)

    def _take_up(self, number: int, data: bytes) -> None:
        try:
            self._sources.add(Inbound.decode(data).source)
        except InvalidDocument as fault:
            raise BadFile(self._places.inbox.at(f"{number}.json"), fault.why) from None
        self._last = number
        self._publish(number, data)

    def deliver(self, document: FollowUp | Cancel, source: str) -> bool:
        """Hand it to the agent; False when ``source`` has been heard before. Raises CannotWrite."""
        if source in self._sources:
            return False
        inbound = inbound_of(document, self._last + 1, source)
        data = inbound.encode()
        try:
            self._places.write(self._places.inbox, f"{inbound.seq}.json", data)
        except Exists:
            raise BadFile(self._places.inbox.at(f"{inbound.seq}.json"), "is there, but was not read") from None
        self._last = inbound.seq
        self._sources.add(source)
        self._publish(inbound.seq, data)
        return True

    def restore(self, name: str, data: bytes) -> None:
        """A file that the stream has and this directory lacks. Raises BadFile where it does not follow the last."""
        number = int(name.removesuffix(".json"))
        if number != self._last + 1:
            raise BadFile(self._places.inbox.at(name), f"is in the stream, but here the last is {self._last}")
        self._places.write(self._places.inbox, name, data)
        self._take_up(number, data)

    def _publish(self, number: int, data: bytes) -> None:
        self._journal.add("/".join((*layout.INBOX, f"{number}.json")), data)


def inbound_of(document: FollowUp | Cancel, seq: int, source: str) -> Inbound:
    """What the agent is told of it."""
    said = ("message", document.text) if isinstance(document, FollowUp) else ("cancel", document.reason)
    return Inbound(
        seq=seq,
        type=said[0],  # type: ignore[arg-type]
        text=said[1],
        by=document.by,
        time=document.time,
        source=source,
    )
