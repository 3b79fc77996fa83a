"""A participant's directories: the places it reads and the files that it alone writes."""

from __future__ import annotations

import time
from pathlib import Path

from pydantic_core import PydanticSerializationError

from sympozium_protocol import layout
from sympozium_protocol.failpoints import failpoint
from sympozium_protocol.files import MAX_FILE, BadFile, CannotWrite, Directory, Exists
from sympozium_protocol.ids import id_of, is_id, number_of
from sympozium_protocol.ledger import Ledger
from sympozium_protocol.listing import Listed
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.calls import Call, Manifest, Reply, Started, TextPart, Verdict
from sympozium_protocol.process import log

PROGRESS_LIMIT = 1 << 20
"""Bytes of one call's progress; what comes after is in the reply."""

UNKNOWN = "0" * 64
"""In place of a digest that cannot be read any more; no bytes have it."""


class Desk:
    """One participant's view of /ipc: its calls, verdicts and withdrawals in; its own files out."""

    answers_all = False
    """Has the gate said ``started`` for us? Then a call that was withdrawn before we began is answered too."""

    def __init__(self, root: Directory, name: str, ledger: Ledger) -> None:
        self.name = name
        self.ledger = ledger
        self.own = root.make((name,))
        self.calls = root.open(layout.calls(name))
        self.withdrawn = root.open(layout.withdrawn(name))
        self.verdicts = root.open(layout.verdicts(name))
        self.tools = root.make(layout.tools(name))
        self.started = root.make(layout.started(name))
        self.replies = root.make(layout.replies(name))
        self.progress = root.make(layout.progress(name))
        self.blobs = root.make(layout.blobs(name))
        self.verdict_names = Listed(self.verdicts)
        self._progress_sizes: dict[str, int] = {}

    @classmethod
    def open(cls, root: Directory, name: str, path: Path, disk: int) -> Desk:
        """``path`` is the ipc directory on the file system, ``disk`` its limit in bytes."""
        return cls(root, name, Ledger.of(path / name, disk))

    def publish(self, manifest: Manifest) -> int:
        """Write the next manifest, and take back what was said of being unready; its number."""
        number = 1 + max((number_of(name) or 0 for name in self.tools.names()), default=0)
        self.tools.write(f"{number}.json", manifest.encode())
        self.own.remove(layout.UNREADY_FILE)
        return number

    def close(self) -> None:
        """Let go of every directory."""
        for found in (self.own, self.calls, self.withdrawn, self.verdicts, self.tools, self.started, self.replies):
            found.close()
        self.progress.close()
        self.blobs.close()

    def new_verdicts(self) -> list[str]:
        """Names of files that were not there before."""
        return self.verdict_names.new(time.time_ns())

    def done(self, call_id: str) -> None:
        """Nothing more will be done about this call in this life."""

    def read_verdict(self, call_id: str) -> Verdict:
        """Raises BadFile."""
        name = f"{call_id}.json"
        data = self.verdicts.read(name)
        if data is None:
            raise BadFile(self.verdicts.at(name), "is not there")
        try:
            found = Verdict.decode(data)
        except InvalidDocument as fault:
            raise BadFile(self.verdicts.at(name), fault.why) from None
        if found.id != call_id or found.participant != self.name:
            raise BadFile(self.verdicts.at(name), f"is for {found.participant}/{found.id}, not for its name")
        return found

    def read_call(self, call_id: str) -> bytes:
        """The bytes of a Call, which are read once. Raises BadFile."""
        data = self.calls.read(f"{call_id}.json")
        if data is None:
            raise BadFile(self.calls.at(f"{call_id}.json"), "is not there, but has a verdict")
        return data

    def is_withdrawn(self, call_id: str) -> bool:
        return self.withdrawn.has(call_id)

    async def write_started(self, started: Started, *, again: bool) -> None:
        """``again``: a former life's file stays; files never change."""
        data = started.encode()
        self.ledger.take(self.started.at(started.id), len(data))
        try:
            self.started.write(started.id, data)
        except Exists:
            if not again:
                raise

    async def reply(self, reply: Reply) -> None:
        """The last word on a call; its progress goes. Raises Exists, CannotWrite."""
        data = encode_reply(reply)
        name = f"{reply.id}.json"
        failpoint("before-reply")
        self.ledger.take(self.replies.at(name), len(data))
        self.replies.write(name, data)
        failpoint("replied")
        self.progress.remove(reply.id)
        self._progress_sizes.pop(reply.id, None)

    def append_progress(self, call_id: str, data: bytes) -> None:
        """Lossy: what exceeds the limits, or cannot be written, is dropped."""
        written = self._progress_sizes.get(call_id, 0)
        data = data[: max(0, PROGRESS_LIMIT - written)]
        if not data:
            return
        try:
            self.progress.append(call_id, data)
        except CannotWrite:
            return
        self._progress_sizes[call_id] = written + len(data)

    def put_blob(self, data: bytes) -> str:
        self.ledger.take(self.blobs.path, len(data), bulk=True)
        return self.blobs.put_blob(data)

    def unanswered(self) -> list[Started]:
        """What a former life started and did not answer, as far as it can still be read."""
        answered = {id_of(name) for name in self.replies.names()}
        names = sorted(name for name in self.started.names() if is_id(name) and name not in answered)
        return [self._read_started(name) for name in names]

    def _read_started(self, name: str) -> Started:
        """Presence is the state: one that a crash left damaged says only that the call was started."""
        try:
            found = Started.decode(self.started.read(name) or b"")
        except (BadFile, InvalidDocument) as fault:
            log("file refused", path=self.started.at(name), why=fault.why)
            return Started(id=name, digest=UNKNOWN)
        return found if found.id == name else Started(id=name, digest=UNKNOWN)


def encode_reply(reply: Reply) -> bytes:
    """The bytes of a reply; of one that says so, when what a tool answered cannot be a message."""
    try:
        data = reply.encode()
    except PydanticSerializationError:
        why = "holds what JSON cannot"
    else:
        if len(data) <= MAX_FILE:
            return data
        why = f"has {len(data)} bytes, where at most {MAX_FILE} can be sent"
    left_out = Reply(
        id=reply.id,
        digest=reply.digest,
        outcome="error" if reply.outcome == "ok" else reply.outcome,
        content=(TextPart(text=f"The tool ended ({reply.outcome}), but its answer {why}, and was left out."),),
        failure="invalid_answer" if reply.completion else reply.failure,
    )
    return left_out.encode()


def decode_call(data: bytes, call_id: str, participant: str) -> Call:
    """The Call in these bytes. Raises InvalidDocument when it is none, or another's."""
    call = Call.decode(data)
    if call.id != call_id or call.participant != participant:
        raise InvalidDocument("Call", f"id: names {call.participant}/{call.id}, not its file")
    return call
