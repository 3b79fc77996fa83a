"""A call that was sent, and what is found of its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sympozium_protocol.conformance.asking import Broken
from sympozium_protocol.files import BadFile
from sympozium_protocol.messages import InvalidDocument, Reply, Started

if TYPE_CHECKING:
    from sympozium_protocol.conformance.subject import Subject


@dataclass(frozen=True, slots=True)
class Sent:
    """One call by its id, and the digest of its bytes."""

    subject: Subject
    id: str
    digest: str

    @property
    def reply_path(self) -> str:
        return self.subject.scratch.replies.at(f"{self.id}.json")

    @property
    def started_path(self) -> str:
        return self.subject.scratch.started.at(self.id)

    def reply(self, within: float | None = None) -> Reply:
        """The reply, read the moment that it is there. Raises Broken."""
        seconds = self.subject.timeout if within is None else within
        data = self.subject.wait(self._read, f"{self.reply_path} within {seconds:g} s", seconds)
        try:
            found = Reply.decode(data)
        except InvalidDocument as fault:
            raise Broken(f"{self.reply_path} to be a valid Reply at first sight", fault.why) from None
        if found.id != self.id:
            raise Broken(f"{self.reply_path} to have the id {self.id}", f"id {found.id}")
        if found.digest != self.digest:
            raise Broken(f"{self.reply_path} to have the digest of the call's bytes, {self.digest}", found.digest)
        return found

    def _read(self) -> bytes | None:
        try:
            return self.subject.scratch.replies.read(f"{self.id}.json")
        except BadFile as fault:
            raise Broken("a reply that is a complete file when it appears", str(fault)) from None

    def answered(self, *outcomes: str, within: float | None = None) -> Reply:
        """The reply, which must have one of these outcomes. Raises Broken."""
        found = self.reply(within)
        if found.outcome not in outcomes:
            text = next((part.text for part in found.content if part.type == "text"), "")
            words = f", with the words: {text[:200]}" if text else ""
            raise Broken(f"the outcome {' or '.join(outcomes)}", f"{found.outcome}{words}")
        return found

    def is_answered(self) -> bool:
        return self.subject.scratch.replies.has(f"{self.id}.json")

    def begun(self) -> Started:
        """The started file, once it is there. Raises Broken."""
        data = self.subject.wait(self._read_started, f"{self.started_path} before anything is done")
        try:
            found = Started.decode(data)
        except InvalidDocument as fault:
            raise Broken(f"{self.started_path} to be a valid Started at first sight", fault.why) from None
        if (found.id, found.digest) != (self.id, self.digest):
            raise Broken(f"{self.started_path} to have the call's id and digest", f"id {found.id}, {found.digest}")
        return found

    def _read_started(self) -> bytes | None:
        try:
            return self.subject.scratch.started.read(self.id)
        except BadFile as fault:
            raise Broken("a started file that is complete when it appears", str(fault)) from None

    def untouched(self, what: str) -> None:
        """Raises Broken when the call was started or answered."""
        if self.subject.scratch.started.has(self.id):
            raise Broken(f"{what} not to be started", self.started_path)
        if self.is_answered():
            raise Broken(f"{what} not to be answered", self.reply_path)
