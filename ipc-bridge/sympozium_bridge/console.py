"""What a person says from a terminal: read in order, each once."""

from __future__ import annotations

from collections.abc import Iterator

from sympozium_bridge.inbox import Inbox
from sympozium_bridge.places import Places
from sympozium_protocol.files import BadFile
from sympozium_protocol.listing import Numbered
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.console import Answer, ConsoleDocument, decode_console
from sympozium_protocol.process import log


class Console:
    """The console directory, and the inbox that follows from it."""

    def __init__(self, places: Places, inbox: Inbox) -> None:
        self._places = places
        self._inbox = inbox
        self._numbers = Numbered(places.console)

    def answers(self) -> Iterator[Answer]:
        """New answers, in order; follow-ups and cancels go to the inbox on the way."""
        while (found := self._next()) is not None:
            if isinstance(found, Answer):
                yield found
            elif not isinstance(found, BadFile):
                self._inbox.deliver(found, f"console/{self._numbers.last}")

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


def _refuse(fault: BadFile) -> BadFile:
    log("file refused", path=fault.path, why=fault.why)
    return fault
