"""How an attempt ended: read from the agent's termination message, its exit code, its pod and its Job. Pure.

What cannot be read is never success. What the agent itself tells comes before what the cluster did to its pod,
and that before what the Job says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sympozium_controller.lifecycle import restore
from sympozium_controller.lifecycle.view import DIGEST, View, agent_state, condition
from sympozium_protocol.exits import Reason, reason_of
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.termination import Termination

_NODE: Final = frozenset({"DeletionByPodGC", "DeletionByTaintManager"})
_FROM_LOG: Final = 300
"""Characters of what stands where a termination message should."""


@dataclass(frozen=True, slots=True)
class Ending:
    """``told`` is the agent's own account, if it left one."""

    reason: Reason
    message: str
    told: Termination | None = None
    by_agent: bool = False
    """Did its container end, so that nothing of the pod need be ended?"""


def ending_of(view: View) -> Ending | None:
    """None while the attempt goes on."""
    found = _by_agent(view) or _by_pod(view) or _by_job(view)
    if found is None or not view.cancel:
        return found
    if found.told is not None and found.told.reason != Reason.Suspended.name:
        return found  # it ended by itself before it was told to
    return replace(cancelled(view), told=found.told, by_agent=found.by_agent)


def cancelled(view: View, when: str = "") -> Ending:
    """By whom, where that was written down."""
    return Ending(Reason.Cancelled, " ".join(filter(None, ("cancelled", when, view.by))))


def stopped(view: View, ending: Ending) -> Ending:
    """Instead of Suspended, for a run that waits for nobody: no answer would ever begin its next attempt."""
    deleted = bool(view.pod and view.pod["metadata"].get("deletionTimestamp"))
    why = "its pod was deleted while it worked" if deleted else "it was told to end while it worked"
    return replace(ending, reason=Reason.Evicted, message=why)


def _by_agent(view: View) -> Ending | None:
    ended = agent_state(view.pod, "terminated")
    if ended is None:
        return None
    told = _termination(ended, view)
    code = int(ended.get("exitCode", -1))
    if told is not None:
        return _as_told(told, code, view)
    if ended.get("reason") == "OOMKilled":
        return Ending(Reason.OutOfMemory, "the agent's container used more memory than it may", by_agent=True)
    if done := _done_to_pod(view):
        return Ending(done.reason, done.message, by_agent=True)
    reason = reason_of(code)
    if reason in (None, Reason.Completed):
        said = _seen(ended)
        why = f"the agent ended with exit code {code} and no account of its end{said}"
        return Ending(Reason.ResultUnreadable if code == 0 else Reason.AgentCrashed, why, by_agent=True)
    assert reason is not None
    return Ending(reason, f"the agent ended with exit code {code} ({reason.name}){_seen(ended)}", by_agent=True)


def _seen(ended: Mapping[str, Any]) -> str:
    text = " ".join(str(ended.get("message") or "").split())
    return f": {text[:_FROM_LOG]}" if text else ""


def _termination(ended: Mapping[str, Any], view: View) -> Termination | None:
    """None for one that cannot be read, or that is of another run."""
    try:
        told = Termination.decode(str(ended.get("message") or "").encode())
    except InvalidDocument:
        return None
    wanted = view.job["metadata"].get("annotations", {}).get(DIGEST) if view.job else None
    return told if not (wanted and told.run_digest) or told.run_digest == wanted else None


def _as_told(told: Termination, code: int, view: View) -> Ending:
    reason = Reason.__members__.get(told.reason)
    if reason is None or (reason is Reason.Completed) != (code == 0):
        why = f"the agent's account ({told.reason[:60]}) and its exit code {code} do not agree"
        return Ending(Reason.ResultUnreadable, why, told, by_agent=True)
    if reason is Reason.Suspended and (done := _done_to_pod(view)):
        return Ending(done.reason, done.message, told, by_agent=True)
    return Ending(reason, told.message, told, by_agent=True)


def _by_pod(view: View) -> Ending | None:
    """The pod is over, and nobody ran the agent to its end."""
    pod = view.pod
    if pod is None or pod["status"].get("phase") != "Failed":
        return None
    return (
        _done_to_pod(view)
        or _by_restoring(pod)
        or Ending(Reason.AgentCrashed, f"the pod failed: {pod['status'].get('message') or 'no reason was given'}")
    )


def _by_restoring(pod: Mapping[str, Any]) -> Ending | None:
    """Before a further attempt's agent: the run could not be had back from its stream."""
    for one in pod["status"].get("initContainerStatuses") or ():
        ended = (one.get("state") or {}).get("terminated") or {}
        if one.get("name") == restore.NAME and ended.get("exitCode"):
            code = int(ended["exitCode"])
            reason = Reason.OutOfMemory if ended.get("reason") == "OOMKilled" else reason_of(code)
            why = f"the run was not restored from its stream, exit code {code}{_seen(ended)}"
            return Ending(reason or Reason.InternalError, why)
    return None


def _by_job(view: View) -> Ending | None:
    failed = condition(view.job, "Failed")
    if failed is not None:
        done = _done_to_pod(view)
        why = f"the Job failed: {failed.get('reason', '')}: {failed.get('message', '')}"
        return done or Ending(Reason.JobLost, f"the pod is gone and left no account of its end ({why})")
    if condition(view.job, "Complete"):
        return Ending(Reason.ResultUnreadable, "the pod is gone and left no account of its end")
    return None


def _done_to_pod(view: View) -> Ending | None:
    """What the cluster did to the pod, if it did anything."""
    status = (view.pod or {}).get("status", {})
    disrupted = condition(view.pod, "DisruptionTarget")
    if status.get("reason") == "Evicted":
        return Ending(Reason.Evicted, f"the pod was evicted: {status.get('message', '')}")
    if status.get("reason") == "NodeLost" or (disrupted and disrupted.get("reason") in _NODE):
        node = (view.pod or {}).get("spec", {}).get("nodeName", "")
        return Ending(Reason.NodeLost, f"the node {node} was lost, and the pod with it")
    if disrupted:
        return Ending(Reason.Evicted, f"the pod was evicted: {disrupted.get('message') or disrupted.get('reason')}")
    if status.get("reason") == "DeadlineExceeded" or _job_deadline(view):
        return Ending(Reason.Timeout, "the run took longer than it may, and its pod was ended")
    return None


def _job_deadline(view: View) -> bool:
    found = condition(view.job, "Failed") or condition(view.job, "FailureTarget")
    return bool(found) and found is not None and found.get("reason") == "DeadlineExceeded"
