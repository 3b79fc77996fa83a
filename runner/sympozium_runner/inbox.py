"""The inbox: what the gate hands in from outside, taken between steps; a cancel is heeded at once."""

from __future__ import annotations

from collections.abc import Sequence

from sympozium_protocol.files import Directory
from sympozium_protocol.listing import Numbered
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.console import Inbound
from sympozium_protocol.messages.transcript import InboundMessage, Message
from sympozium_protocol.process import log


class Inbox:
    """Reads ahead, so that a cancel is seen while a call is waited for."""

    def __init__(self, directory: Directory, messages: Sequence[Message]) -> None:
        taken = [m.inbound for m in messages if isinstance(m, InboundMessage)]
        self._numbers = Numbered(directory)
        self._taken = max(taken, default=0)
        self._waiting: list[Inbound] = []
        self.cancel: Inbound | None = None

    def look(self) -> None:
        """Read what is new."""
        for number, data in self._numbers:
            try:
                found = Inbound.decode(data)
            except InvalidDocument as fault:
                log("file refused", path=f"bridge/inbox/{number}.json", why=fault.why)
                continue
            if found.type == "cancel":
                self.cancel = self.cancel or found
            elif number > self._taken:
                self._waiting.append(found)

    def take(self) -> list[Inbound]:
        """The follow-ups that came since the last time."""
        self.look()
        found, self._waiting = self._waiting, []
        self._taken = max((inbound.seq for inbound in found), default=self._taken)
        return found
