"""The status of a run as it is to be, and what of it is to be written. Pure.

A status is told with few writes: what has not changed is not written again, and while one trouble lasts, the words in
which it was first told stay (a kubelet tells the same in turns of two).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sympozium_controller.lifecycle import questions
from sympozium_controller.lifecycle.ending import Ending
from sympozium_controller.lifecycle.trouble import Trouble
from sympozium_controller.lifecycle.view import DIGEST, View, agent_state, attempt_of
from sympozium_controller.objects.status import MAX_MESSAGE, MAX_OUTPUT
from sympozium_protocol.clock import seconds, utc
from sympozium_protocol.exits import Reason
from sympozium_protocol.messages.result import RunUsage
from sympozium_protocol.messages.termination import Termination

IN_LINE: Final = "InLine"
TURN: Final = "Turn"
ANSWER: Final = "Answer"
APPROVAL: Final = "ApprovalRequired"
CANCELLING: Final = "Cancelling"

MOST: Final = (1 << 63) - 1
"""Of anything that a status counts."""

Status = dict[str, Any]


def changes(view: View, wanted: Mapping[str, Any]) -> Status:
    """What of ``wanted`` the run's status does not say yet."""
    had = view.status
    return {name: value for name, value in wanted.items() if had.get(name, _absent(value)) != value}


def plain(message: str) -> str:
    """As much as a status holds, in one line, without what a terminal would obey: it may be the agent's own words."""
    line = " ".join(message[:MAX_MESSAGE].split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)


def _absent(value: object) -> object:
    return "" if value == "" else None


def in_line(view: View, limit: int, now: float) -> Status:
    why = f"the instance runs {limit} at a time"
    return _waiting(view, IN_LINE, why, TURN) | _conditions(view, now, Started=("False", IN_LINE, why))


def missing(view: View, what: str, why: str, now: float) -> Status:
    """Something that it names is not there (yet)."""
    reason = Reason.MissingReference.name
    told = _conditions(view, now, Resolved=("False", reason, why), Started=("False", reason, why))
    return _waiting(view, reason, why, what[:1024]) | told


def kept_out(view: View, why: str, now: float) -> Status:
    """The cluster does not take its Job (yet)."""
    message = _first_words(view, Trouble(Reason.PodRefused, why))
    told = _conditions(view, now, Started=("False", Reason.PodRefused.name, message))
    return _phase(view, "Pending", Reason.PodRefused.name, message) | told


def _waiting(view: View, reason: str, why: str, waiting_for: str) -> Status:
    return _phase(view, "Waiting", reason, why) | {"waitingFor": waiting_for}


def _phase(view: View, phase: str, reason: str, message: str) -> Status:
    return {
        "observedGeneration": view.run["metadata"].get("generation", 1),
        "phase": phase,
        "reason": reason,
        "message": plain(message),
        "waitingFor": "",
    }


def refused(view: View, reason: Reason, why: str, now: float) -> Status:
    """It ends before it began: what it names cannot be run."""
    told = _conditions(view, now, Resolved=("False", reason.name, why), Finished=("True", reason.name, why))
    return _phase(view, reason.phase, reason.name, why) | {"completionTime": utc(now)} | told


def under_way(view: View, trouble: Trouble | None, now: float) -> Status:
    """It has a Job that has not ended."""
    running = agent_state(view.pod, "running")
    same = view.job is not None and view.status.get("attempt") == attempt_of(view.job)
    resolved = {"Resolved": ("True", "Frozen", "")}
    if running is None and same and (view.status.get("phase") == "Running" or _asked(view)):
        return _of_job(view)  # the pod may be out of sight for a while
    if running is not None:
        told = _running(view) | {"podName": _pod_name(view)}
        started = {"startTime": view.status.get("startTime") or running.get("startedAt") or utc(now)}
        return _of_job(view) | told | started | _conditions(view, now, **resolved, Started=("True", "Running", ""))
    if trouble is None:
        pending = {**resolved, "Started": ("False", "Pending", "")}
        return _of_job(view) | _phase(view, "Pending", "", "") | _conditions(view, now, **pending)
    message = _first_words(view, trouble)
    told = _phase(view, "Pending", trouble.reason.name, message)
    named = {"podName": _pod_name(view)} if view.pod else {}
    begun = {**resolved, "Started": ("False", trouble.reason.name, message)}
    return _of_job(view) | told | named | _conditions(view, now, **begun)


def _running(view: View) -> Status:
    """With somebody to be asked: Waiting for as long as its gate says so, and until it says otherwise."""
    if view.asks:
        return _waiting(view, APPROVAL, questions.asked_now(view, view.asks), ANSWER)
    if view.asks is None and _asked(view):
        return {}
    return _phase(view, "Running", "", "")


def _asked(view: View) -> bool:
    return view.status.get("phase") == "Waiting" and view.status.get("reason") == APPROVAL


def _first_words(view: View, trouble: Trouble) -> str:
    same = view.status.get("phase") == "Pending" and view.status.get("reason") == trouble.reason.name
    return str(view.status.get("message") or trouble.message) if same else trouble.message


def _pod_name(view: View) -> str:
    return str(view.pod["metadata"]["name"]) if view.pod else ""


def _of_job(view: View) -> Status:
    if view.job is None:
        return {}
    metadata = view.job["metadata"]
    return {
        "run": view.id,
        "runDigest": metadata.get("annotations", {}).get(DIGEST, ""),
        "attempt": attempt_of(view.job),
        "jobName": metadata["name"],
        "jobUID": metadata["uid"],
    }


def cancelling(view: View, now: float) -> Status:
    """Its agent was told to stop."""
    return _conditions(view, now, **{CANCELLING: ("True", "Told", "its agent was told to stop")})


def suspended(view: View, ending: Ending, now: float) -> Status:
    """The attempt ended to wait for a person; the next begins after the answer."""
    why = questions.asked_before(view) or ending.message or "it waits for an answer"
    told = _phase(view, "Waiting", Reason.Suspended.name, why) | {"waitingFor": ANSWER}
    return _of_job(view) | told | _conditions(view, now, Started=("False", Reason.Suspended.name, why))


def ended(view: View, ending: Ending, now: float) -> Status:
    """Final."""
    reason, why = ending.reason, ending.message
    told = _phase(view, reason.phase, reason.name, why) | {"completionTime": utc(now)}
    pod = {"podName": _pod_name(view)} if view.pod else {}
    finished = {"Finished": ("True", reason.name, why)}
    found = {**_of_job(view), **told, **pod, **_conditions(view, now, **finished)}
    start = view.status.get("startTime") or _started(view, ending.told)
    return found | ({"startTime": start} if start else {}) | (_account(ending.told, view.output) if ending.told else {})


def _started(view: View, told: Termination | None) -> str:
    state = agent_state(view.pod, "terminated") or {}
    claimed = told.start_time if told else None
    return (claimed if _is_moment(claimed) else None) or state.get("startedAt") or ""


def _is_moment(text: str | None) -> bool:
    """Not every date that an agent can claim is one."""
    try:
        return bool(text) and seconds(text or "") > 0
    except (ValueError, OverflowError):
        return False


def _account(told: Termination, whole: str | None) -> Status:
    found: Status = {"output": output_of(told, whole), "usage": _usage(told.usage)}
    if told.output_size:
        found["outputSize"] = _count(told.output_size)
    if told.output_digest:
        found["outputDigest"] = told.output_digest
    return found


def output_of(told: Termination, whole: str | None = None) -> str:
    """The beginning of the answer that fits, marked where there is more."""
    text = whole or told.output
    if len(text) <= MAX_OUTPUT and (whole or not told.cut):
        return text
    mark = f"\n[cut: the whole has {told.output_size} bytes]"
    return text[: MAX_OUTPUT - len(mark)] + mark


def _usage(usage: RunUsage) -> Status:
    return {
        "inputTokens": _count(usage.input_tokens),
        "outputTokens": _count(usage.output_tokens),
        "modelCalls": _count(usage.model_calls),
        "toolCalls": _count(usage.tool_calls),
        "usd": _money(usage.usd),
    }


def _count(claimed: int) -> int:
    """What an agent claims is told as far as a status can hold it: a run that could not be told would never end."""
    return min(claimed, MOST)


def _money(usd: float) -> str:
    whole, _, cents = f"{min(usd, 1e12 - 1):.6f}".partition(".")
    return f"{whole}.{cents.rstrip('0').ljust(2, '0')}"


def _conditions(view: View, now: float, **wanted: tuple[str, str, str]) -> Status:
    """All conditions, those of ``wanted`` as they are to be; since when, where that is new."""
    had: Iterable[Mapping[str, Any]] = view.status.get("conditions") or ()
    found = {str(one["type"]): dict(one) for one in had}
    generation = view.run["metadata"].get("generation", 1)
    for type, (status, reason, message) in wanted.items():
        before = found.get(type, {})
        since = before.get("lastTransitionTime") if before.get("status") == status else None
        found[type] = {
            "type": type,
            "status": status,
            "observedGeneration": generation,
            "lastTransitionTime": since or utc(now),
            "reason": reason,
            "message": plain(message),
        }
    return {"conditions": list(found.values())}
