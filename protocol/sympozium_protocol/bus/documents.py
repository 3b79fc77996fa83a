"""The messages on the bus that are not files of /ipc themselves. All are one line of UTF-8 JSON."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Final, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import to_json

from sympozium_protocol.messages.base import Count, Digest, Document, Id, Wire

CHUNK: Final = 256 * 1024
"""Bytes of one part of a file: in base64 well below the smallest max_payload that is supported (1 MiB)."""

MESSAGE: Final = 512 * 1024
"""Bytes of files in one message, about; one part alone may come to more once it is written as JSON."""

PATH_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,62}(/[a-z0-9][a-z0-9.-]{0,79}){1,3}$"


class Record(Wire):
    """One file of /ipc, or a part of one that is too large for a message.

    ``text`` is its bytes where they are UTF-8, ``base64`` where they are not, or where they were cut in parts.
    """

    path: str = Field(pattern=PATH_PATTERN, description="below /ipc")
    text: str | None = None
    base64: str | None = None
    part: int = Field(default=1, ge=1)
    parts: int = Field(default=1, ge=1, le=1 << 14)

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if (self.text is None) == (self.base64 is None):
            raise ValueError("has text and base64, or neither")
        if self.part > self.parts:
            raise ValueError("is a part beyond the last")
        return self

    @property
    def data(self) -> bytes:
        """Raises ValueError where base64 is none."""
        return self.text.encode() if self.text is not None else base64.b64decode(self.base64 or "", validate=True)


class Records(Document):
    """What became durable together, in this order. ``writer`` tells lives of a writer apart."""

    kind: Literal["Records"] = "Records"
    writer: str = Field(default="", max_length=64)
    records: tuple[Record, ...] = Field(min_length=1)


class Request(Document):
    """A call to a participant elsewhere, with its verdict: both as the files have them."""

    kind: Literal["Request"] = "Request"
    call: str = Field(description="the bytes of the Call's file")
    verdict: str = Field(description="the bytes of the Verdict's file")
    upto: Count = Field(description="the stream has everything that the call rests on up to this sequence")
    again: bool = Field(default=False, description="whoever had it has gone silent: another may take it over")


class Taken(Document):
    """A copy of the service has the request: what comes of it is in the stream."""

    kind: Literal["Taken"] = "Taken"


class Turned(Document):
    """The service does not take the request, and why, in words for the model."""

    kind: Literal["Turned"] = "Turned"
    why: str


class Open(Document):
    """Asks for a reader of a run's messages after this sequence of the stream."""

    kind: Literal["Open"] = "Open"
    after: Count = 0


class Opened(Document):
    """The reader is there; so many messages were waiting for it."""

    kind: Literal["Opened"] = "Opened"
    pending: Count


class Status(Document):
    """How a run stands: said when it changes, and lost when nobody listens."""

    kind: Literal["Status"] = "Status"
    run: Id
    phase: Literal["Running", "Waiting", "Suspended", "Ended"]
    waiting: tuple[str, ...] = Field(default=(), description="participant/call of each open question")
    refused: Count = Field(default=0, description="messages from outside that could not be used")
    digest: Digest | None = Field(default=None, description="of the RunSpec")


def record_parts(path: str, data: bytes) -> Iterator[Record]:
    """One file as records: whole where it fits."""
    if len(data) <= CHUNK:
        yield _record(path, data)
        return
    yield from body_parts(path, len(data), (data[at : at + CHUNK] for at in range(0, len(data), CHUNK)))


def body_parts(path: str, size: int, pieces: Iterable[bytes]) -> Iterator[Record]:
    """A file of ``size`` bytes that comes in pieces of CHUNK, and is never in memory whole.

    Raises ValueError when there are more pieces than that.
    """
    parts = -(-size // CHUNK)
    for part, piece in enumerate(pieces, 1):
        yield Record(path=path, base64=base64.b64encode(piece).decode(), part=part, parts=parts)


def _record(path: str, data: bytes) -> Record:
    """As text, where that can be: what JSON has to escape (six bytes for a NUL) must not make it grow."""
    encoded = base64.b64encode(data).decode()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return Record(path=path, base64=encoded)
    if len(data) > 1024 and len(to_json(text)) > len(encoded):
        return Record(path=path, base64=encoded)
    return Record(path=path, text=text)
