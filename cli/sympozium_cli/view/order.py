"""Events of the past in the order in which a person reads them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sympozium_cli.view.events import Asked, Event, Judged, Said
from sympozium_protocol.messages.transcript import ToolMessage


def in_reading_order(events: Iterable[Event]) -> Iterator[Event]:
    """Messages in order, and before each tool's result what the gate and the person said of the call."""
    messages: list[Event] = []
    gate: dict[str, list[Event]] = {}
    for event in events:
        call = _call_of(event)
        if call is None:
            messages.append(event)
        else:
            gate.setdefault(call, []).append(event)
    for event in messages:
        if isinstance(event, Said) and isinstance(event.message, ToolMessage):
            yield from gate.pop(event.message.call, ())
        yield event
    for rest in gate.values():
        yield from rest


def unanswered(events: Iterable[Event]) -> list[Asked]:
    """The questions among them that have no verdict."""
    found: dict[tuple[str, str], Asked] = {}
    for event in events:
        if isinstance(event, Asked):
            found[event.question.participant, event.question.id] = event
        elif isinstance(event, Judged):
            found.pop((event.verdict.participant, event.verdict.id), None)
    return list(found.values())


def _call_of(event: Event) -> str | None:
    if isinstance(event, Asked):
        return event.question.id
    return event.verdict.id if isinstance(event, Judged) else None
