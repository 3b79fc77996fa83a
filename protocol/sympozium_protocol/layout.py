"""Every path below /ipc, once: relative, as tuples of components.

Whoever needs a path asks here. The first component names the one writer.
"""

from __future__ import annotations

from typing import Final, TypeAlias

Place: TypeAlias = tuple[str, ...]

RUN: Final = ("run",)
RUN_FILE: Final = "run.json"

AGENT: Final = "agent"
BRIDGE: Final = "bridge"
CONSOLE: Final = "console"
RESERVED: Final = frozenset({"run", AGENT, BRIDGE, CONSOLE})

TRANSCRIPT: Final = (AGENT, "transcript")
RESULT_FILE: Final = "result.json"
ALIVE_FILE: Final = "alive"
UNREADY_FILE: Final = "unready"
DURABLE_FILE: Final = "durable"
WRITER_FILE: Final = "writer"
INBOX: Final = (BRIDGE, "inbox")
CONSOLE_BOX: Final = (CONSOLE,)


def volume(place: Place) -> str:
    """The name of the volume at ``place``, where each has one of its own. No participant's name has a dot in it."""
    return ".".join(("ipc", *place))


def calls(participant: str) -> Place:
    return (AGENT, "calls", participant)


def withdrawn(participant: str) -> Place:
    return (AGENT, "withdrawn", participant)


def verdicts(participant: str) -> Place:
    return (BRIDGE, "verdicts", participant)


def questions(participant: str) -> Place:
    return (BRIDGE, "questions", participant)


def tools(participant: str) -> Place:
    return (participant, "tools")


def started(participant: str) -> Place:
    return (participant, "started")


def replies(participant: str) -> Place:
    return (participant, "replies")


def progress(participant: str) -> Place:
    return (participant, "progress")


def blobs(writer: str) -> Place:
    return (writer, "blobs")


def agent_places(participants: tuple[str, ...]) -> tuple[Place, ...]:
    """The directories that the agent writes."""
    return (
        TRANSCRIPT,
        blobs(AGENT),
        *(calls(p) for p in participants),
        *(withdrawn(p) for p in participants),
    )


def agent_parents() -> tuple[Place, ...]:
    """What only holds places of the agent. Nobody writes there: who can rename a directory moves what is mounted
    below it, in every container that mounts it later."""
    return ((AGENT, "calls"), (AGENT, "withdrawn"))


def bridge_places(participants: tuple[str, ...]) -> tuple[Place, ...]:
    """The directories that the gate writes."""
    return (INBOX, *(verdicts(p) for p in participants), *(questions(p) for p in participants))


def participant_places(participant: str) -> tuple[Place, ...]:
    """The directories that a participant writes."""
    return (
        tools(participant),
        started(participant),
        replies(participant),
        progress(participant),
        blobs(participant),
    )


def places(participants: tuple[str, ...]) -> tuple[Place, ...]:
    """Every directory of a run: whoever makes the pod creates them."""
    return (
        RUN,
        *agent_places(participants),
        *bridge_places(participants),
        *(place for p in participants for place in participant_places(p)),
        CONSOLE_BOX,
    )
