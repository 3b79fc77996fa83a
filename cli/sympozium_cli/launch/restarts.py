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


def after_end(code: int, restarts: int, *, bridge: bool) -> Next:
    """What follows the end of the gate or a participant. ``code`` as of waitstatus_to_exitcode (-9: SIGKILL)."""
    reason = reason_of(code) if code > 0 else None
    if reason in HOPELESS:
        return GiveUp(reason)
    if restarts < (STORAGE_RESTARTS if reason in STORAGE else len(BACKOFF)):
        return Restart(BACKOFF[restarts])
    # without the gate nothing can be called any more; without a participant the agent is told so,
    # unless it is the disk, which it cannot be told without
    return GiveUp(reason if reason in STORAGE else Reason.BridgeLost if bridge else None)


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
