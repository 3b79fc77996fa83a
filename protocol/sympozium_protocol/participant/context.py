"""What a tool's handler is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, Protocol, Self

from sympozium_protocol.failpoints import failpoint
from sympozium_protocol.messages.base import JsonObject
from sympozium_protocol.messages.calls import (
    BlobPart,
    Call,
    Completion,
    Failure,
    Part,
    Reservation,
    Started,
    TextPart,
    Tool,
)
from sympozium_protocol.messages.spec import RunSpec
from sympozium_protocol.participant.desk import Desk


@dataclass(frozen=True, slots=True)
class Result:
    """How a handler ended: the part of a Reply that is its own. ``error`` is for the model to read.

    ``unavailable``: what it stands for is not there, and nothing was done.
    """

    outcome: Literal["ok", "error", "interrupted", "unavailable", "timeout"] = "ok"
    content: tuple[Part, ...] = ()
    details: JsonObject = field(default_factory=dict)
    completion: Completion | None = None
    failure: Failure | None = None

    @classmethod
    def text(cls, text: str, **details: object) -> Self:
        return cls(content=(TextPart(text=text),), details=dict(details))

    @classmethod
    def error(cls, text: str, **details: object) -> Self:
        return cls(outcome="error", content=(TextPart(text=text),), details=dict(details))


class Lost(Exception):
    """Another copy has the call: nothing must happen here, and nothing is answered."""


class Withdrawn(Exception):
    """Raised by ``Context.start`` when the agent no longer wants the call: nothing must happen."""


class Context:
    """One call being answered: where a handler says that it starts, how far it is, and what it kept.

    A handler that is stopped (timeout, withdrawn, shutdown) is cancelled. What it leaves in
    ``partial`` and ``details`` by then goes into the Reply.
    """

    def __init__(self, call: Call, digest: str, spec: RunSpec, desk: Desk, *, timeout: float, again: bool) -> None:
        self.call = call
        self.digest = digest
        self.spec = spec
        self.desk = desk
        self.timeout = timeout
        """Seconds from start."""
        self.again = again
        """Was it started by a former life, which died before it answered?"""
        self.started = False
        self.partial: list[Part] = []
        self.details: JsonObject = {}

    async def start(
        self,
        *,
        process_group: int | None = None,
        process_start: int | None = None,
        boot_id: str | None = None,
        reservation: Reservation | None = None,
    ) -> None:
        """Say that it starts; then, and only then, may there be an effect. Raises Withdrawn, Lost."""
        if not self.started:
            await self.desk.write_started(
                Started(
                    id=self.call.id,
                    digest=self.digest,
                    process_group=process_group,
                    process_start=process_start,
                    boot_id=boot_id,
                    reservation=reservation,
                ),
                again=self.again,
            )
            self.started = True
            failpoint("started")
        if self.desk.is_withdrawn(self.call.id):
            raise Withdrawn

    def progress(self, data: bytes | str) -> None:
        """Append to the call's progress: lossy, seen live, gone after the reply."""
        self.desk.append_progress(self.call.id, data.encode() if isinstance(data, str) else data)

    def blob(self, data: bytes, *, media_type: str = "application/octet-stream", note: str = "") -> BlobPart:
        """Keep a body that is too large for a message. Raises CannotWrite (OverLimit)."""
        return BlobPart(digest=self.desk.put_blob(data), size=len(data), media_type=media_type, note=note)


class HandlerFunction(Protocol):
    def __call__(self, call: Call, context: Context, /) -> Awaitable[Result]: ...


@dataclass(frozen=True, slots=True)
class Handler:
    """A tool and what answers it.

    ``starts_itself``: the handler awaits ``context.start(...)``, because it has something to
    say in it (a process group, a reservation); otherwise it is called for it.
    ``fault``: the first fault of some arguments, or None, as the tool's schema has it; without this they are
    checked by a validator that takes 5 MiB.
    """

    tool: Tool
    answer: HandlerFunction
    starts_itself: bool = False
    fault: Callable[[JsonObject], str | None] | None = None


class Offer:
    """The tools of a participant that may change while it serves: each change is a further manifest."""

    def __init__(self, handlers: Iterable[Handler] = ()) -> None:
        self.handlers: dict[str, Handler] = {handler.tool.name: handler for handler in handlers}
        self.changed = False
        """Is there something that no manifest says yet?"""
        self.wake: Callable[[], None] | None = None
        """Set by ``serve``: what makes it look."""

    def replace(self, handlers: Iterable[Handler]) -> None:
        """Offer these from now on. A tool that the RunSpec does not know ends the program (ManifestRefused)."""
        before = self.tools
        self.handlers = {handler.tool.name: handler for handler in handlers}
        self.changed = self.changed or self.tools != before
        if self.changed and self.wake:
            self.wake()

    @property
    def tools(self) -> tuple[Tool, ...]:
        return tuple(handler.tool for handler in self.handlers.values())


@dataclass(frozen=True, slots=True)
class Former:
    """A call that a former life started and did not answer."""

    started: Started
    call: Call | None


Recover = Callable[[Former], None]
"""Ends what is still going on of such a call (kills its process group), before anything is done again."""
