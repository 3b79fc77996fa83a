"""What others write in the pod and the stream is to have: transcript, replies, the bodies that they name, the result.

Each file is read once, and these bytes are what is published, whatever becomes of the file.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sympozium_bridge.journal import Journal
from sympozium_protocol import layout
from sympozium_protocol.bus.documents import CHUNK
from sympozium_protocol.bus.places import RESULT_PATH, blob_path, path_of, reply_path
from sympozium_protocol.files import BadFile, Directory
from sympozium_protocol.ids import id_of
from sympozium_protocol.listing import Listed, Numbered
from sympozium_protocol.messages.spec import RunSpec
from sympozium_protocol.process import log
from sympozium_protocol.waiting import Watch

_BLOB: Final = re.compile(rb'"(?:digest|outputDigest)"\s*:\s*"([0-9a-f]{64})"')


@dataclass(frozen=True, slots=True)
class _Replies:
    participant: str
    names: Listed
    blobs: Directory


class Outbox:
    """Looks at the directories of the agent and of the pod's participants. Only made where there is a bus."""

    def __init__(self, root: Directory, spec: RunSpec, journal: Journal) -> None:
        self._journal = journal
        self._agent = root.open((layout.AGENT,))
        self._agent_blobs = root.open(layout.blobs(layout.AGENT))
        self._transcript = Numbered(root.open(layout.TRANSCRIPT))
        # what a participant elsewhere answers is in the stream before it is a file
        self._replies = [_replies(root, p.name) for p in spec.participants if p.placement == "pod"]
        self._broken = False

    def watch(self, watch: Watch) -> None:
        watch.add(self._transcript.directory)
        for replies in self._replies:
            watch.add(replies.names.directory)

    def collect(self) -> bool:
        """Give what is new to the journal: a reply before the message that rests on it, the result last."""
        before = self._journal.added
        ended = self._agent.has(layout.RESULT_FILE)
        messages = list(self._messages())
        for replies in self._replies:
            self._new_replies(replies)
        for number, data in messages:
            self._add(path_of(layout.TRANSCRIPT, f"{number}.json"), data, layout.AGENT, self._agent_blobs)
        if ended and not self._journal.has(RESULT_PATH):
            self._result()
        return self._journal.added > before

    def _messages(self) -> Iterator[tuple[int, bytes]]:
        while not self._broken:
            try:
                found = self._transcript.next()
            except BadFile as fault:
                self._broken = True  # what follows cannot be understood without it
                log("file refused", path=fault.path, why=fault.why)
                return
            if found is None:
                return
            yield found

    def _new_replies(self, replies: _Replies) -> None:
        for name in replies.names.new(time.monotonic_ns()):
            call = id_of(name)
            data = _read(replies.names.directory, name) if call else None
            if call and data is not None:
                self._add(reply_path(replies.participant, call), data, replies.participant, replies.blobs)

    def _result(self) -> None:
        data = _read(self._agent, layout.RESULT_FILE)
        if data is not None:
            self._add(RESULT_PATH, data, layout.AGENT, self._agent_blobs)

    def _add(self, path: str, data: bytes, writer: str, blobs: Directory) -> None:
        for found in dict.fromkeys(_BLOB.findall(data)):
            self._add_blob(writer, found.decode(), blobs)
        self._journal.add(path, data)

    def _add_blob(self, writer: str, digest: str, blobs: Directory) -> None:
        """If it is there: not every digest in a document is that of a body."""
        path = blob_path(writer, digest)
        if self._journal.has(path):
            return
        try:
            size = blobs.size(digest)
            if size is None:
                return
            if size > CHUNK:
                _check(blobs, digest)
                self._journal.add_body(path, size, lambda: blobs.pieces(digest, CHUNK))
            elif (data := blobs.get_blob(digest)) is not None:
                self._journal.add(path, data)
        except BadFile as fault:
            log("file refused", path=fault.path, why=fault.why)


def _check(blobs: Directory, digest: str) -> None:
    """Raises BadFile when the body is something else. In pieces: it may be larger than this program should be."""
    found = hashlib.sha256()
    for piece in blobs.pieces(digest, CHUNK):
        found.update(piece)
    if found.hexdigest() != digest:
        raise BadFile(blobs.at(digest), "is not what its name says")


def _replies(root: Directory, name: str) -> _Replies:
    return _Replies(name, Listed(root.open(layout.replies(name))), root.open(layout.blobs(name)))


def _read(directory: Directory, name: str) -> bytes | None:
    try:
        return directory.read(name)
    except BadFile as fault:
        log("file refused", path=fault.path, why=fault.why)
        return None
