"""A memory as JSON lines: each entry with all that is known of it, and each revocation. Ids are a file's own and
are left out, so that a memory taken over into an empty one is exported as the same lines."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, ClassVar, Final, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from sympozium_memory.entry import Trust, clean_content, clean_tags, digest_of
from sympozium_memory.faults import BadInput
from sympozium_memory.rows import revoked_at, settle, tag
from sympozium_memory.words import indexed
from sympozium_protocol.clock import seconds, utc
from sympozium_protocol.messages.base import Digest, Document, InvalidDocument, Time, Wire

T = TypeVar("T")

BATCH: Final = 200
"""Lines that are taken over in one commit: other writers wait for no longer."""


def _real(text: str) -> str:
    seconds(text)  # the pattern knows no calendar
    return text


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("one_line", "holds a line break or another control character")
    return text


Run: TypeAlias = Annotated[str, AfterValidator(_one_line), Field(max_length=200)]
"""Empty for what no run stored."""
Moment: TypeAlias = Annotated[Time, AfterValidator(_real)]
Number: TypeAlias = Annotated[int, Field(ge=1, le=1 << 53)]


class StoreLine(Wire):
    """Who said it, since when and how often."""

    run: Run
    trust: Trust
    first: Moment
    last: Moment
    count: Number


class MemoryLine(Document):
    """One entry."""

    kind: Literal["Memory"] = "Memory"
    content: str
    tags: tuple[str, ...] = ()
    run: Run = ""
    created: Moment
    trust: Trust = "agent"
    digest: Digest
    count: Number
    stores: tuple[StoreLine, ...] = ()


class RevocationLine(Document):
    """That a person took an entry out. Its content is not in it."""

    kind: Literal["Revocation"] = "Revocation"
    digest: Digest
    run: Run
    trust: Trust
    created: Moment
    revoked: Moment
    person: str = ""
    reason: str = ""
    lifted: Moment | None = None


class _AnyLine(Document):
    kind: str = ""
    stated: ClassVar[tuple[str, ...]] = ("kind",)


Line: TypeAlias = MemoryLine | RevocationLine


@dataclass(frozen=True, slots=True)
class Imported:
    """Entries that were new, that were here already, and that a person had revoked here; and revocations."""

    added: int = 0
    merged: int = 0
    refused: int = 0
    revocations: int = 0

    def __add__(self, other: Imported) -> Imported:
        return Imported(
            self.added + other.added,
            self.merged + other.merged,
            self.refused + other.refused,
            self.revocations + other.revocations,
        )


def export(db: sqlite3.Connection) -> Iterator[str]:
    """The lines of all that is there at this moment, in the order in which it was stored."""
    db.execute("BEGIN")
    try:
        for row in db.execute(f"SELECT {_OF_REVOCATION} FROM revocations ORDER BY id"):  # noqa: S608
            yield _text(_revocation(*row))
        for row in db.execute(f"SELECT id, {_OF_ENTRY} FROM entries ORDER BY id"):  # noqa: S608
            stores = db.execute(f"SELECT {_OF_STORE} FROM stores WHERE entry = ? ORDER BY first, run, trust", row[:1])  # noqa: S608
            yield _text(_memory(tuple(_store(*store) for store in stores), *row[1:]))
    finally:
        db.execute("ROLLBACK")


_OF_REVOCATION: Final = "digest, entry, run, trust, created, revoked, person, reason, lifted"
_OF_ENTRY: Final = "content, tags, run, created, trust, digest, count"
_OF_STORE: Final = "run, trust, first, last, count"


def _revocation(
    digest: str, _: int, run: str, trust: Trust, created: float, revoked: float, person: str, reason: str, lifted: float
) -> RevocationLine:
    return RevocationLine(
        digest=digest,
        run=run,
        trust=trust,
        created=utc(created),
        revoked=utc(revoked),
        person=person,
        reason=reason,
        lifted=None if lifted is None else utc(lifted),
    )


def _memory(
    stores: tuple[StoreLine, ...],
    content: str,
    tags: str,
    run: str,
    created: float,
    trust: Trust,
    digest: str,
    count: int,
) -> MemoryLine:
    return MemoryLine(
        content=content,
        tags=tuple(json.loads(tags)),
        run=run,
        created=utc(created),
        trust=trust,
        digest=digest,
        count=count,
        stores=stores,
    )


def _store(run: str, trust: Trust, first: float, last: float, count: int) -> StoreLine:
    return StoreLine(run=run, trust=trust, first=utc(first), last=utc(last), count=count)


def _text(line: Line) -> str:
    return line.encode().decode().rstrip("\n")


def read(lines: Iterable[str]) -> list[Line]:
    """The lines of an export, each checked; blank ones are passed over. Raises BadInput, which names the line."""
    found: list[Line] = []
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            found.append(_line(text))
        except InvalidDocument as fault:
            raise BadInput(f"line {number}:", fault.why) from None
        except BadInput as fault:
            raise BadInput(f"line {number}:", fault.why) from None
    return found


def _line(text: str) -> Line:
    data = text.encode(errors="surrogatepass")
    match _AnyLine.decode(data).kind:
        case "Memory":
            return _checked(MemoryLine.decode(data))
        case "Revocation":
            return RevocationLine.decode(data)
        case other:
            raise BadInput("kind", f"is {other[:40]!r}: neither Memory nor Revocation")


def _checked(line: MemoryLine) -> MemoryLine:
    if clean_content(line.content) != line.content:
        raise BadInput("content", "has blank space around it")
    if digest_of(line.content) != line.digest:
        raise BadInput("digest", "is not that of the content")
    if sum(store.count for store in line.stores) != line.count and line.stores:
        raise BadInput("count", "is not the sum of the stores' counts")
    return line.model_copy(update={"tags": clean_tags(line.tags)})


def batches(lines: Iterable[T]) -> Iterator[tuple[T, ...]]:
    left = iter(lines)
    while batch := tuple(islice(left, BATCH)):
        yield batch


def importing(batch: Iterable[Line]) -> Callable[[sqlite3.Connection], Imported]:
    """The write that takes these lines over."""

    def write(db: sqlite3.Connection) -> Imported:
        return sum((_take(db, line) for line in batch), Imported())

    return write


def _take(db: sqlite3.Connection, line: Line) -> Imported:
    if isinstance(line, RevocationLine):
        return _take_revocation(db, line)
    row = db.execute("SELECT id FROM entries WHERE digest = ?", (line.digest,)).fetchone()
    if row is None and revoked_at(db, line.digest) is not None:
        return Imported(refused=1)
    entry = row[0] if row else _insert(db, line)
    stores = line.stores or (
        StoreLine(run=line.run, trust=line.trust, first=line.created, last=line.created, count=line.count),
    )
    db.executemany(
        "INSERT INTO stores (entry, run, trust, first, last, count, call) VALUES (?, ?, ?, ?, ?, ?, '') "
        "ON CONFLICT (entry, run, trust) DO UPDATE SET count = max(count, excluded.count), "
        "first = min(first, excluded.first), last = max(last, excluded.last)",
        [(entry, one.run, one.trust, seconds(one.first), seconds(one.last), one.count) for one in stores],
    )
    tag(db, entry, line.tags)
    settle(db, entry)
    return Imported(merged=1) if row else Imported(added=1)


def _insert(db: sqlite3.Connection, line: MemoryLine) -> int:
    done = db.execute(
        "INSERT INTO entries (content, tags, run, created, trust, digest, count, words) "
        "VALUES (?, '[]', ?, ?, ?, ?, ?, ?)",
        (
            line.content,
            line.run,
            seconds(line.created),
            line.trust,
            line.digest,
            line.count,
            indexed(line.content, ()),
        ),
    )
    assert done.lastrowid is not None
    return done.lastrowid


def _take_revocation(db: sqlite3.Connection, line: RevocationLine) -> Imported:
    """Once; and it takes no entry out that is here."""
    revoked = seconds(line.revoked)
    if db.execute("SELECT 1 FROM revocations WHERE digest = ? AND revoked = ?", (line.digest, revoked)).fetchone():
        return Imported()
    db.execute(
        f"INSERT INTO revocations ({_OF_REVOCATION}) VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (
            line.digest,
            line.run,
            line.trust,
            seconds(line.created),
            revoked,
            line.person,
            line.reason,
            seconds(line.lifted) if line.lifted else None,
        ),
    )
    return Imported(revocations=1)
