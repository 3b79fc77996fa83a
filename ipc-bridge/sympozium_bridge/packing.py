"""What goes into one message: as many small files as fit, or a part of a large one, which is read as it is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from sympozium_bridge.journal import Entry
from sympozium_protocol.bus.documents import CHUNK, MESSAGE, Record, body_parts, record_parts
from sympozium_protocol.bus.places import is_body
from sympozium_protocol.files import BadFile

MOST: Final = 1000
"""Files of one message."""


def together(waiting: Iterable[Entry]) -> tuple[list[Entry], list[Record]]:
    """The first of what waits, whole files that make one message: MESSAGE bytes, as they are written there."""
    files: list[Entry] = []
    records: list[Record] = []
    size = 0
    for entry in islice(waiting, MOST):
        if entry.size > CHUNK:
            break
        record = next(record_parts(entry.path, entry.data))
        size += len(record.model_dump_json())
        if files and size > MESSAGE:
            break
        files.append(entry)
        records.append(record)
    return files, records


def parts_of(entry: Entry) -> Iterator[Record]:
    """Raises BadFile, before the last part, when it is not what it was: nobody then takes it for whole."""
    found, sent = hashlib.sha256(), 0
    for part in body_parts(entry.path, entry.size, _hashed(entry, found)):
        sent += 1
        if part.part == part.parts and is_body(entry.path) and found.hexdigest() != entry.path.rpartition("/")[2]:
            raise BadFile(entry.path, "was changed while it was published")
        yield part
    if sent != -(-entry.size // CHUNK):
        raise BadFile(entry.path, "became shorter while it was published")


def _hashed(entry: Entry, found: hashlib._Hash) -> Iterator[bytes]:
    pieces = -(-entry.size // CHUNK)
    for number, piece in enumerate(entry.pieces(), 1):
        if number > pieces:
            raise BadFile(entry.path, "grew while it was published")
        found.update(piece)
        yield piece
