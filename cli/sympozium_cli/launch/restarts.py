"""What to do when a program of the pod ended by itself. Pure.

The pod is meant to survive the death of any of its processes, but not to hide one that cannot run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from sympozium_protocol.exits import Reason, reason_of

BACKOFF: Final = (0.0, 0.1, 0.5, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0)
"""Seconds before each restart of a participant or the gate; after the last one it is given up."""

AGENT_RESTARTS: Final = 5
"""How often the agent's first process is started again after a signal killed it."""

HOPELESS: Final = frozenset(
    {
        Reason.InvalidRun,
        Reason.ManifestRefused,
        Reason.MissingKey,
        Reason.InvalidPack,
        Reason.InvalidScript,
        Reason.InvalidDocument,
        Reason.MissingReference,
        Reason.Usage,
    }
)
"""Ends that another start would only repeat: the run ends with this reason."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it again after ``delay`` seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It is not started again; with a ``reason``, the run ends for it."""

    reason: Reason | None


Next: TypeAlias = Restart | GiveUp


STORAGE: Final = frozenset({Reason.DiskFull, Reason.DiskLimit, Reason.StorageFailed})
"""Ends that another start may not repeat, but a few will tell."""
STORAGE_RESTARTS: Final = 3
UNREADY_RESTARTS: Final = 2
"""Restarts of what has never shown that it is alive: it cannot start here, and nobody waits for ten tries."""


def after_end(code: int, restarts: int, *, bridge: bool, ready: bool = True) -> Next:
    """What follows the end of the gate or a participant.

    ``code`` as of waitstatus_to_exitcode (-9: SIGKILL); ``ready``: it has been alive in this session.
    """
    reason = reason_of(code) if code > 0 else None
    if reason in HOPELESS or (not ready and reason is Reason.ParticipantUnavailable):
        return GiveUp(reason)
    if restarts < _allowed(reason, ready=ready):
        return Restart(BACKOFF[restarts])
    if reason in STORAGE:  # the agent is told of a lost participant, but for the disk, which it needs for that
        return GiveUp(reason)
    if bridge:  # nothing can be called any more
        return GiveUp(Reason.BridgeLost)
    return GiveUp(None if ready else Reason.ParticipantUnavailable)


def _allowed(reason: Reason | None, *, ready: bool) -> int:
    if reason in STORAGE:
        return STORAGE_RESTARTS
    return len(BACKOFF) if ready else UNREADY_RESTARTS


def after_agent(code: int, restarts: int) -> Next:
    """What follows the end of the agent's first process: again, or the run's end."""
    if code < 0 and restarts < AGENT_RESTARTS:
        return Restart(BACKOFF[restarts])
    return GiveUp(Reason.AgentCrashed if code < 0 or reason_of(code) is None else reason_of(code))


def how(code: int) -> str:
    """An end in words."""
    import signal

    if code >= 0:
        reason = reason_of(code)
        return f"ended with {code}" + (f" ({reason.name})" if reason else "")
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
