"""From messages of the stream to whole files: checked, in order, and put together again where they came in parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Record, Records
from sympozium_protocol.bus.places import BadPath, is_body, place_of, reply_path, started_path
from sympozium_protocol.bus.reader import Stored
from sympozium_protocol.bus.subjects import BadSubject, Elsewhere, Own, RunKey
from sympozium_protocol.files import MAX_BLOB, digest
from sympozium_protocol.messages.base import InvalidDocument


class BadRecord(ValueError):
    """A message of the stream that is not what its subject promises; says which."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the run as the stream has it. ``at``: where, and by whom; ``writer``: which of those who may."""

    path: str
    data: bytes
    seq: int
    at: Own | Elsewhere
    writer: str = ""


@dataclass(slots=True)
class _Unfinished:
    """What came of a file so far."""

    path: str
    parts: list[bytes] = field(default_factory=list)
    size: int = 0


class Gatherer:
    """Of one run. Messages are given to it in the order of the stream.

    ``bodies``: are the run's own wanted whole? Otherwise it is only told when one is complete, with no data.
    """

    def __init__(self, run: RunKey, *, bodies: bool = True) -> None:
        self.run = run
        self._bodies = bodies
        self._unfinished: dict[str, _Unfinished] = {}

    def take(self, message: Stored) -> Iterator[Found]:
        """The files that are whole with this message; none of one in which a person speaks. Raises BadRecord."""
        try:
            run, at = subjects.read(message.subject)
        except BadSubject as fault:
            raise BadRecord(str(fault)) from None
        if run != self.run:
            raise BadRecord(f"{message.subject}: is of another run")
        if not isinstance(at, Own | Elsewhere):
            return
        told = self._decode(message)
        for record in told.records:
            self._check(record, at, message)
            if not self._bodies and isinstance(at, Own) and is_body(record.path):
                whole = b"" if record.part == record.parts else None
            else:
                whole = self._whole(record, message)
            if whole is not None:
                yield Found(record.path, whole, message.seq, at, told.writer)

    def _decode(self, message: Stored) -> Records:
        try:
            return Records.decode(message.data)
        except InvalidDocument as fault:
            raise BadRecord(f"message {message.seq} of the stream: {fault.why}") from None

    def _check(self, record: Record, at: Own | Elsewhere, message: Stored) -> None:
        try:
            place_of(record.path)
        except BadPath as fault:
            raise BadRecord(f"message {message.seq} of the stream: {fault}") from None
        if isinstance(at, Elsewhere):
            own = (started_path(at.participant, at.call), reply_path(at.participant, at.call))
            if record.path not in own and not record.path.startswith(f"{at.participant}/blobs/"):
                raise BadRecord(f"message {message.seq} of the stream: {at.participant} may not say {record.path}")

    def _whole(self, record: Record, message: Stored) -> bytes | None:
        try:
            data: bytes | None = record.data
        except ValueError:
            raise BadRecord(f"message {message.seq} of the stream: {record.path} is no base64") from None
        if record.parts > 1 and data is not None:
            data = self._joined(record, data, message)
        if data is not None and is_body(record.path) and digest(data) != record.path.rpartition("/")[2]:
            raise BadRecord(f"message {message.seq} of the stream: {record.path} is not what its name says")
        return data

    def _joined(self, record: Record, data: bytes, message: Stored) -> bytes | None:
        """Parts of one file follow each other, on each subject one file at a time; one that begins anew replaces it."""
        if record.part == 1:
            self._unfinished[message.subject] = _Unfinished(record.path)
        had = self._unfinished.get(message.subject)
        fits = had is not None and had.path == record.path and len(had.parts) + 1 == record.part
        if had is None or not fits or had.size + len(data) > MAX_BLOB:
            self._unfinished.pop(message.subject, None)
            raise BadRecord(f"message {message.seq} of the stream: {record.path} comes in parts that do not fit")
        had.parts.append(data)
        had.size += len(data)
        if record.part < record.parts:
            return None
        del self._unfinished[message.subject]
        return b"".join(had.parts)
