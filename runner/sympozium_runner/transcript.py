"""The transcript: numbered messages, each written before anything acts on it. It is the run."""

from __future__ import annotations

from typing import TypeVar

from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.failpoints import failpoint
from sympozium_protocol.files import BadFile, Directory
from sympozium_protocol.ledger import Ledger
from sympozium_protocol.listing import Numbered
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.transcript import Message, decode_message

M = TypeVar("M", bound=Message)


class Transcript:
    """All messages so far, in memory and on disk."""

    def __init__(self, directory: Directory, ledger: Ledger) -> None:
        """Reads what a former life wrote. Raises Ended (InvalidRun) when that is not a transcript."""
        self._directory = directory
        self._ledger = ledger
        self.messages: list[Message] = list(_read(directory))

    @property
    def next_seq(self) -> int:
        return len(self.messages) + 1

    def append(self, message: M) -> M:
        """Write the next message. Raises CannotWrite, Exists."""
        assert message.seq == self.next_seq
        name = f"{message.seq}.json"
        data = message.encode()
        self._ledger.take(self._directory.at(name), len(data))
        failpoint("before-message")
        self._directory.write(name, data)
        self.messages.append(message)
        failpoint("message")
        return message


def _read(directory: Directory) -> list[Message]:
    found: list[Message] = []
    try:
        for seq, data in Numbered(directory):
            message = decode_message(data)
            if message.seq != seq:
                raise Ended(Reason.InvalidRun, f"{directory.at(f'{seq}.json')}: seq: is {message.seq}")
            found.append(message)
    except InvalidDocument as fault:
        raise Ended(Reason.InvalidRun, f"{directory.at(f'{len(found) + 1}.json')}: {fault.why}") from None
    except BadFile as fault:
        raise Ended(Reason.InvalidRun, str(fault)) from None
    return found
