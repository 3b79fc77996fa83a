"""How a run of a cluster ended, from its status. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sympozium_cli.outcome import Outcome
from sympozium_protocol.exits import Reason
from sympozium_protocol.files import digest
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.messages.result import RunResult, RunUsage


def outcome_of_status(run: KubeObject) -> Outcome:
    """``answer`` is None where the status has only its beginning."""
    status = run["status"]
    reason = _reason(str(status.get("reason") or ""), str(status["phase"]))
    answer = str(status.get("output") or "") if reason is Reason.Completed else None
    if answer is not None and digest(answer.encode()) != status.get("outputDigest"):
        answer = None
    return Outcome(reason, str(status.get("message") or ""), _result(run, reason), answer)


def _reason(word: str, phase: str) -> Reason:
    """A word that this command does not know is of a newer controller: never success."""
    found = Reason.__members__.get(word)
    if found is not None and found.phase == phase:
        return found
    return {"Succeeded": Reason.Completed, "Cancelled": Reason.Cancelled}.get(phase, Reason.InternalError)


def _result(run: KubeObject, reason: Reason) -> RunResult:
    status, made = run["status"], run["metadata"]["creationTimestamp"]
    used = status.get("usage") or {}
    return RunResult(
        run=status.get("run") or "unknown",
        phase=status["phase"],
        reason=str(status.get("reason") or reason.name),
        message=str(status.get("message") or ""),
        output=str(status.get("output") or ""),
        output_size=int(status.get("outputSize") or 0),
        output_digest=status.get("outputDigest") or None,
        usage=RunUsage(
            input_tokens=used.get("inputTokens", 0),
            output_tokens=used.get("outputTokens", 0),
            model_calls=used.get("modelCalls", 0),
            tool_calls=used.get("toolCalls", 0),
            usd=float(used.get("usd") or 0),
        ),
        start_time=status.get("startTime") or made,
        completion_time=status.get("completionTime") or made,
    )


def begun(run: KubeObject) -> bool:
    """Has its agent ever begun? What a run says can be read from then on."""
    status = run.get("status") or {}
    return bool(status.get("run") and status.get("startTime"))


def state_of(run: KubeObject) -> str:
    """Where it stands, in one line for a person; empty before anybody has looked at it."""
    status = run.get("status") or {}
    head = " ".join(filter(None, (status.get("phase"), status.get("reason"))))
    return ": ".join(filter(None, (head, status.get("message"))))


def put_off(calls: Sequence[str], command: Callable[[str, str], str]) -> str:
    """Its pod has ended before the run has, for a person. ``calls``: those that wait for one; ``command``: a verb and
    a call, to the command that says it to this run."""
    if not calls:
        return "its pod has ended; the cluster begins its next one, or ends the run"
    return f"its pod has ended; an answer begins its next one: {command('approve', calls[0])}"
