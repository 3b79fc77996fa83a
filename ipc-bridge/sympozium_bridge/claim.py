"""Which gate has a run: lives in one directory are one writer; a gate of another directory shuts it out."""

from __future__ import annotations

import secrets

from sympozium_protocol.bus.documents import Record
from sympozium_protocol.files import BadFile, Directory
from sympozium_protocol.layout import WRITER_FILE


def writer_of(own: Directory) -> str:
    """The writer of this directory, for all lives of its gate. Raises FileFault."""
    data = own.read(WRITER_FILE)
    if data is None:
        made = secrets.token_hex(8)
        own.write(WRITER_FILE, made.encode(), durable=True)
        return made
    found = data.decode("ascii", "replace")
    if len(found) != 16:
        raise BadFile(own.at(WRITER_FILE), "is no writer's name")
    return found


def claim_of(writer: str) -> Record:
    """What it says first: whoever wrote before and knows nothing of it is refused from then on."""
    return Record(path=f"bridge/gates/{writer}", text=writer)
