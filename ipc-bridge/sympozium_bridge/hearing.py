"""What people say over the bus: judged by who may have said it, heard once, refused and counted otherwise."""

from __future__ import annotations

from typing import Final

from sympozium_bridge.gate import Gate
from sympozium_protocol.bus.reader import Stored
from sympozium_protocol.bus.subjects import Said, Verb
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.console import Answer, Cancel, ConsoleDocument, FollowUp, decode_console
from sympozium_protocol.process import log

LARGEST: Final = 512 * 1024
"""Bytes of one message: the longest text, in characters that take the most room."""

_VERBS: Final[dict[Verb, type[ConsoleDocument]]] = {"answer": Answer, "send": FollowUp, "cancel": Cancel}


class Hearing:
    """Gives the gate what people say. Who spoke, and when, is the server's word: the subject, and its clock."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.refused = 0

    def take(self, message: Stored, said: Said) -> None:
        if len(message.data) > LARGEST:
            return self.refuse(message, f"has more than {LARGEST} bytes")
        try:
            document = decode_console(message.data)
        except InvalidDocument as fault:
            return self.refuse(message, fault.why)
        if not isinstance(document, _VERBS[said.verb]):
            return self.refuse(message, f"is no {_VERBS[said.verb].__name__}")
        document = document.model_copy(update={"by": said.person, "time": message.time})
        if isinstance(document, Answer):
            self._gate.heard.append(document)
        else:
            self._gate.inbox.deliver(document, f"bus/{message.seq}")

    def refuse(self, message: Stored, why: str) -> None:
        self.refused += 1
        log("message refused", subject=message.subject, seq=message.seq, why=why, refused=self.refused)
