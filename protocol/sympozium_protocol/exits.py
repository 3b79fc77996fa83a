"""Why a run ended, in one word, and the exit code that goes with it.

The same word stands in result.json, AgentRun.status.reason, metrics and on the terminal. The
decade of the code tells who is to look: 10s configuration and usage, 20s model, 30s participants,
40s policy, budget and limits, 50s cancelled, 60s infrastructure, 70s what a cluster does to a pod.
"""

from __future__ import annotations

from enum import IntEnum

from sympozium_protocol.messages.calls import Failure


class Reason(IntEnum):
    """A reason by name, an exit code by value."""

    Completed = 0

    Usage = 10
    InvalidDocument = 11
    MissingReference = 12
    MissingKey = 13
    InvalidPack = 14
    InvalidScript = 15
    PolicyUnsatisfiable = 16
    RunNotFound = 17
    RunLocked = 18
    RunFinished = 19

    ModelUnavailable = 20
    ModelAuthentication = 21
    ContextTooLong = 22
    ContentRefused = 23
    ProviderQuota = 24
    ProviderRateLimited = 25
    ModelRequestInvalid = 26
    ModelAnswerInvalid = 27
    ScriptEnded = 28
    ReplayDiverged = 29

    ParticipantUnavailable = 30
    ManifestRefused = 31

    PolicyDenied = 40
    BudgetExceeded = 41
    StepLimit = 42
    Timeout = 43
    CallLimit = 44
    RepeatedCalls = 45
    DiskLimit = 46
    OutOfMemory = 47

    Cancelled = 50
    Suspended = 51

    DiskFull = 60
    StorageFailed = 61
    BridgeLost = 62
    AgentCrashed = 63
    InvalidRun = 64
    ResultUnreadable = 65
    NotDurable = 66
    EngineLost = 67
    BusRefused = 68
    InternalError = 69

    Evicted = 70
    NodeLost = 71
    ImageUnavailable = 72
    PodRefused = 73
    Unschedulable = 74
    JobLost = 75
    NameTaken = 76
    LeaseLost = 77

    @property
    def phase(self) -> str:
        """The phase of a run that ended for this reason."""
        if self is Reason.Completed:
            return "Succeeded"
        return "Cancelled" if self is Reason.Cancelled else "Failed"


class Ended(Exception):
    """Ends the program that raises it: a typed reason and a sentence for a person."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


MODEL_FAILURES: dict[Failure, Reason] = {
    "authentication": Reason.ModelAuthentication,
    "context_too_long": Reason.ContextTooLong,
    "content_refused": Reason.ContentRefused,
    "quota": Reason.ProviderQuota,
    "rate_limited": Reason.ProviderRateLimited,
    "unavailable": Reason.ModelUnavailable,
    "invalid_request": Reason.ModelRequestInvalid,
    "invalid_answer": Reason.ModelAnswerInvalid,
    "budget": Reason.BudgetExceeded,
    "script_ended": Reason.ScriptEnded,
    "replay_diverged": Reason.ReplayDiverged,
}


def reason_of(code: int) -> Reason | None:
    """The reason of an exit code; None for one that is not ours."""
    return Reason(code) if code in Reason._value2member_map_ else None
