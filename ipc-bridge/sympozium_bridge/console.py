"""What a person says from a terminal: read in order, each once; the k-th follow-up or cancel is inbox/k."""

from __future__ import annotations

from collections.abc import Iterator

from sympozium_bridge.places import Places
from sympozium_protocol.files import BadFile, Exists
from sympozium_protocol.listing import Numbered
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.console import Answer, Cancel, ConsoleDocument, FollowUp, Inbound, decode_console
from sympozium_protocol.process import log


class Console:
    """The console directory, and the inbox that follows from it."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._numbers = Numbered(places.console)
        self._delivered = 0

    def answers(self) -> Iterator[Answer]:
        """New answers, in order; follow-ups and cancels go to the inbox on the way."""
        while (found := self._next()) is not None:
            if isinstance(found, Answer):
                yield found
            elif not isinstance(found, BadFile):
                self._deliver(found)

    def _next(self) -> ConsoleDocument | BadFile | None:
        """The next document. One that cannot be used is reported once and passed over."""
        try:
            found = self._numbers.next()
        except BadFile as fault:
            self._numbers.last += 1
            return _refuse(fault)
        if found is None:
            return None
        number, data = found
        try:
            return decode_console(data)
        except InvalidDocument as fault:
            return _refuse(BadFile(self._places.console.at(f"{number}.json"), fault.why))

    def _deliver(self, document: FollowUp | Cancel) -> None:
        # counting in console order gives the same numbers after a restart, so nothing is delivered twice
        self._delivered += 1
        inbound = inbound_of(document, self._delivered)
        try:
            self._places.write(self._places.inbox, f"{inbound.seq}.json", inbound.encode())
        except Exists:
            return


def inbound_of(document: FollowUp | Cancel, seq: int) -> Inbound:
    """What the agent is told of it."""
    if isinstance(document, FollowUp):
        return Inbound(seq=seq, type="message", text=document.text, by=document.by, time=document.time)
    return Inbound(seq=seq, type="cancel", text=document.reason, by=document.by, time=document.time)


def _refuse(fault: BadFile) -> BadFile:
    log("file refused", path=fault.path, why=fault.why)
    return fault
