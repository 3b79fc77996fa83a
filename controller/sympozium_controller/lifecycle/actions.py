"""What is to be done about a run: small frozen objects, which a thin shell carries out in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Start:
    """Resolve the run, give it its rights, and create the Job of this attempt."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Again:
    """Create the Job of this further attempt from the one before, once no pod of that is left."""

    job: str
    attempt: int


@dataclass(frozen=True, slots=True)
class PatchStatus:
    """A merge patch of the status; refused by the server when the run has changed since it was read."""

    status: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReadOutput:
    """Read the whole answer, which has this digest, from the run's stream."""

    digest: str


@dataclass(frozen=True, slots=True)
class SayCancel:
    """Tell the agent over the bus to stop, so that it can tell how far it came."""


@dataclass(frozen=True, slots=True)
class LookForAnswer:
    """Did a person answer something that the run asks?"""


@dataclass(frozen=True, slots=True)
class ReadQuestions:
    """Read from the run's stream which calls it asks a person about. ``over``: its pod waits for them no more."""

    over: bool = False


@dataclass(frozen=True, slots=True)
class LowerDeadline:
    """End the Job's pod: its programs are told to end, and then killed."""

    job: str
    seconds: int


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """With its pod. Only that very object."""

    job: str
    uid: str


@dataclass(frozen=True, slots=True)
class KeepJob:
    """Let the cluster delete the Job so many seconds after its end: the result is stored."""

    job: str
    seconds: int


@dataclass(frozen=True, slots=True)
class TakeBackRights:
    """Delete what gave the run rights."""


@dataclass(frozen=True, slots=True)
class FindJob:
    """Ask the server whether this Job is there: what is remembered of the cluster may be older."""

    job: str


@dataclass(frozen=True, slots=True)
class Requeue:
    """Look at the run again after so many seconds, whatever happens."""

    after: float


@dataclass(frozen=True, slots=True)
class Emit:
    """Tell an Event about the run."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


Action: TypeAlias = (
    Start | Again | PatchStatus | ReadOutput | SayCancel | LookForAnswer
    | ReadQuestions | LowerDeadline | DeleteJob | KeepJob | TakeBackRights | FindJob | Requeue | Emit
)  # fmt: skip
