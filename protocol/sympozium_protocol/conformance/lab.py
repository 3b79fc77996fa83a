"""What is judged, and with which calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sympozium_protocol.conformance.asking import Ask
from sympozium_protocol.conformance.scratch import Scratch
from sympozium_protocol.conformance.subject import Subject
from sympozium_protocol.messages.base import Effect, JsonObject
from sympozium_protocol.messages.spec import ToolSpec


@dataclass(slots=True)
class Lab:
    """Makes scratch runs of one command. ``timeout``: seconds that anything may take to appear."""

    command: Sequence[str]
    name: str
    timeout: float
    call: Ask | None = None
    slow: Ask | None = None
    more: JsonObject = field(default_factory=dict)
    """Further fields of the RunSpec."""
    said: list[str] = field(default_factory=list)
    """The last lines that the program wrote."""
    _shared: Subject | None = None

    def subject(self) -> Subject:
        """The one that most checks share; started again if it has ended. Raises Broken."""
        if self._shared is None:
            self._shared = self._make("read")
        self._shared.ensure()
        return self._shared

    @contextmanager
    def apart(self, effect: Effect) -> Iterator[Subject]:
        """A further scratch run, in which the tools called have this effect. Not yet started."""
        subject = self._make(effect)
        try:
            yield subject
        finally:
            self._end(subject)

    def _make(self, effect: Effect) -> Subject:
        names = sorted({ask.tool for ask in (self.call, self.slow) if ask})
        tools = tuple(ToolSpec(name=name, effect=effect, timeout=self.timeout) for name in names)
        return Subject(self.command, Scratch(self.name, tools, self.more), self.timeout)

    def _end(self, subject: Subject) -> None:
        self.said = subject.last_words() or self.said
        subject.close()

    def the_call(self) -> Ask:
        assert self.call is not None, "the manifest check finds one"
        return self.call

    def the_slow_call(self) -> Ask:
        assert self.slow is not None, "--level full asks for one"
        return self.slow

    def renew(self) -> None:
        """Let the next check have a new run."""
        if self._shared:
            self._end(self._shared)
            self._shared = None
