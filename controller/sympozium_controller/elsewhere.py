"""Participants that live behind the bus: ``--elsewhere PARTICIPANT[=SERVICE]`` on the participants of a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sympozium_controller.errors import Refused
from sympozium_controller.flags import ON_COMMAND_LINE
from sympozium_protocol.exits import Reason
from sympozium_protocol.ids import is_id
from sympozium_protocol.messages.spec import ParticipantSpec, ToolSpec
from sympozium_protocol.wellknown import CHANNELS, SCHEDULE_TASK, SCHEDULES, SEND_CHANNEL_MESSAGE

FLAG: Final = "--elsewhere"

ONLY_ELSEWHERE: Final[Mapping[str, ParticipantSpec]] = {
    one.name: one
    for one in (
        ParticipantSpec(
            name=CHANNELS,
            role="channel",
            tools=(ToolSpec(name=SEND_CHANNEL_MESSAGE.name, effect="write"),),
        ),
        ParticipantSpec(
            name=SCHEDULES,
            role="schedule",
            tools=(ToolSpec(name=SCHEDULE_TASK.name, effect="write"),),
        ),
    )
}
"""Those that no pod has a program for. Their tools are known without them, so no run waits for them to come."""


def services_of(words: Iterable[str]) -> dict[str, str | None]:
    """Participant to service, None for one of its own name. Raises Refused (Usage)."""
    found: dict[str, str | None] = {}
    for word in words:
        name, given, service = word.partition("=")
        if not is_id(name) or (given and not is_id(service)):
            raise _refused(f"{word!r}: not PARTICIPANT or PARTICIPANT=SERVICE: small letters, digits and dashes")
        if name in found:
            raise _refused(f"{name}: is named twice")
        found[name] = service or None
    return found


def tool_names(words: Iterable[str]) -> dict[str, str]:
    """The tools that come with participants of ONLY_ELSEWHERE, and whose they are."""
    found = (ONLY_ELSEWHERE[name] for name in services_of(words) if name in ONLY_ELSEWHERE)
    return {tool.name: one.name for one in found for tool in one.tools}


def place(participants: Sequence[ParticipantSpec], words: Iterable[str]) -> tuple[ParticipantSpec, ...]:
    """The participants, those that ``words`` name with the placement ``bus``. Raises Refused (Usage)."""
    services = services_of(words)
    known = {one.name for one in participants}
    added = [ONLY_ELSEWHERE[name] for name in services if name in ONLY_ELSEWHERE and name not in known]
    whole = (*participants, *added)
    for name in services:
        if not any(one.name == name for one in whole):
            names = ", ".join(sorted({*known, *ONLY_ELSEWHERE}))
            raise _refused(f"{name}: is no participant of this run; there are: {names}")
    return tuple(_moved(one, services[one.name]) if one.name in services else one for one in whole)


def _moved(one: ParticipantSpec, service: str | None) -> ParticipantSpec:
    return one.model_copy(update={"placement": "bus", "service": service})


def _refused(why: str) -> Refused:
    return Refused(Reason.Usage, ON_COMMAND_LINE, FLAG, why)
