"""decide: what is to be done about a run, given what the cluster says of it and the time. Pure, and the only place.

Every decision may be made again after a crash at any point: names are deterministic, what was done is seen, and what
ends a run is stored before anything of it is destroyed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from sympozium_controller.lifecycle import questions, status
from sympozium_controller.lifecycle.actions import (
    Action,
    Again,
    DeleteJob,
    Emit,
    FindJob,
    KeepJob,
    LookForAnswer,
    LowerDeadline,
    PatchStatus,
    ReadOutput,
    ReadQuestions,
    Requeue,
    SayCancel,
    Start,
    TakeBackRights,
)
from sympozium_controller.lifecycle.ending import Ending, cancelled, ending_of, stopped
from sympozium_controller.lifecycle.trouble import Trouble, trouble_of
from sympozium_controller.lifecycle.view import ANSWERED, EXPIRY, View, agent_state, attempt_of, condition, instance_of
from sympozium_protocol.clock import seconds
from sympozium_protocol.exits import Reason

Actions: TypeAlias = tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds. ``start_within``: how long a pod that cannot begin is waited for. ``keep_job``: how long the Job of a
    finished run is kept, for its logs. ``stop_within``: how long a pod that was told to end is waited for.
    ``cancel_within``: how long an agent that was told to stop has for it. ``look_every``: an answer is looked for."""

    start_within: float = 600.0
    keep_job: int = 3600
    stop_within: float = 120.0
    cancel_within: float = 15.0
    look_every: float = 10.0


USUAL: Final = Times()
USUAL_EXPIRY: Final = 86400
"""Seconds, where a Job does not say."""
_USUAL: Final = frozenset({status.IN_LINE, status.APPROVAL, Reason.Suspended.name})
"""Reasons to wait that are no trouble."""
MOST_ATTEMPTS: Final = 200
"""Of one run. Each begins with the run's whole time, and it is the agent's word that there is something to wait for."""
UNSCHEDULED: Final = 3.0
"""Seconds for which no node may be found before that is told: a burst of pods, or a node that is being added."""


def decide(view: View, now: float, times: Times = USUAL, limit: int = 0) -> Actions:
    """``limit``: how many runs of the instance may go at once; 0 for any number."""
    if view.run["metadata"].get("deletionTimestamp"):
        return _leaving(view)
    if view.final:
        return _afterwards(view, times)
    if view.suspended:
        return _suspended(view, now, times)
    if view.job is None or attempt_of(view.job) < view.attempt:
        return _without_job(view, now, limit)
    ending = ending_of(view) or _overdue(view, now, times)
    return _end(view, ending, now) if ending else _under_way(view, now, times)


def _without_job(view: View, now: float, limit: int) -> Actions:
    if view.status.get("jobName"):
        if not view.job_gone:
            return (FindJob(view.expected_job),)
        gone = Ending(Reason.JobLost, f"the Job {view.expected_job} was deleted")
        return _end(view, cancelled(view) if view.cancel else gone, now)
    if view.cancel:
        return _end(view, cancelled(view, "before it began"), now)
    if view.ahead is None:
        return (Start(1),)
    return _patch(view, status.in_line(view, limit, now))


def _suspended(view: View, now: float, times: Times) -> Actions:
    if view.cancel:
        return _end(view, cancelled(view), now)
    told = view.run["metadata"].get("annotations", {}).get(ANSWERED, "")
    answered = max(view.answered, int(told) if told.isdecimal() else 0) >= view.attempt
    if not answered and (left := _left_to_answer(view, now)) > 0:
        return (LookForAnswer(), Requeue(min(times.look_every, left))) if view.bus else (Requeue(left),)
    if view.attempt >= MOST_ATTEMPTS:
        return _end(view, Ending(Reason.Timeout, f"it stopped {MOST_ATTEMPTS} times to wait for a person"), now)
    return (Again(view.expected_job, view.attempt + 1),) if view.ahead is None else ()


def _left_to_answer(view: View, now: float) -> float:
    """Seconds. When none are left the next attempt begins as well: its gate finds the question expired, and says no."""
    expiry = (view.job or {}).get("metadata", {}).get("annotations", {}).get(EXPIRY, "")
    conditions = view.status.get("conditions") or ()
    since = next((one.get("lastTransitionTime") for one in conditions if one.get("type") == "Started"), None)
    return _since(since, now) + (int(expiry) if expiry.isdecimal() else USUAL_EXPIRY) - now


def _overdue(view: View, now: float, times: Times) -> Ending | None:
    """It was told to end and does not, or cannot begin for too long."""
    told = condition(view.job, "FailureTarget")
    if told and now - _since(told.get("lastTransitionTime"), now) > times.stop_within:
        if view.cancel:
            return cancelled(view)
        return Ending(Reason.NodeLost, "the pod was told to end and has not: its node does not answer")
    trouble = trouble_of(view)
    if trouble and agent_state(view.pod, "running") is None and _age(view, now) >= times.start_within:
        return Ending(trouble.reason, trouble.message)
    return None


def _age(view: View, now: float) -> float:
    created = view.job["metadata"].get("creationTimestamp") if view.job else None
    return now - _since(created, now)


def _since(moment: str | None, now: float) -> float:
    try:
        return seconds(moment) if moment else now
    except ValueError:
        return now


def _under_way(view: View, now: float, times: Times) -> Actions:
    trouble = trouble_of(view)
    if trouble and trouble.reason is Reason.Unschedulable and _age(view, now) < UNSCHEDULED:
        return (*_under_way_but(view, None, now, times), Requeue(UNSCHEDULED))
    return _under_way_but(view, trouble, now, times)


def _under_way_but(view: View, trouble: Trouble | None, now: float, times: Times) -> Actions:
    assert view.job is not None
    if questions.unread(view):
        return (ReadQuestions(),)
    wanted = status.under_way(view, trouble, now)
    found: Actions = _patch(view, wanted)
    if view.cancel:
        return _stop(view, found, now, times)
    if trouble:
        return (*found, Requeue(max(1.0, times.start_within - _age(view, now))))
    return found


def _stop(view: View, found: Actions, now: float, times: Times) -> Actions:
    """Over the bus where that is possible: then the agent tells how far it came. Else, and after a while, by force."""
    if view.bus and agent_state(view.pod, "running") is not None:
        told = condition(view.run, status.CANCELLING)
        if told is None:
            return (SayCancel(), PatchStatus(status.cancelling(view, now)), Requeue(times.cancel_within))
        left = times.cancel_within - (now - _since(told.get("lastTransitionTime"), now))
        if left > 0:
            return (*found, Requeue(left))
    return (*found, *_lower(view), Requeue(times.stop_within))


def _lower(view: View) -> Actions:
    """The pod's programs are told to end; an agent that has not begun never does."""
    assert view.job is not None
    bound = view.job["spec"].get("activeDeadlineSeconds")
    return () if bound == 1 else (LowerDeadline(view.job["metadata"]["name"], 1),)


def _end(view: View, ending: Ending, now: float) -> Actions:
    if ending.reason is Reason.Suspended:
        if view.bus and (view.questions is None or view.asks):
            return (ReadQuestions(over=True),)
        if not view.idle:
            return _patch(view, status.suspended(view, ending, now))
        ending = stopped(view, ending)
    if ending.reason is Reason.ParticipantUnavailable and view.unready:
        ending = replace(ending, message=f"{ending.message}; SympoziumInstance {instance_of(view.run)}: {view.unready}")
    account = ending.told
    if view.bus and account and account.cut and account.output_digest and view.output is None:
        return (ReadOutput(account.output_digest),)
    well = ending.reason in (Reason.Completed, Reason.Cancelled)
    why = status.plain(ending.message) or ending.reason.phase
    told = Emit("Normal" if well else "Warning", ending.reason.name, why)
    return (PatchStatus(status.ended(view, ending, now)), told)


def _patch(view: View, wanted: status.Status) -> Actions:
    """With an Event where the run begins to wait, or to wait for something else: a Warning if that is a trouble."""
    changed = status.changes(view, wanted)
    if not changed:
        return ()
    begins = changed.get("reason") or (changed.get("waitingFor") and wanted["reason"])
    if not begins:
        return (PatchStatus(changed),)
    return (PatchStatus(changed), Emit("Normal" if begins in _USUAL else "Warning", begins, wanted["message"]))


def _afterwards(view: View, times: Times) -> Actions:
    """The result is stored: what made the run goes."""
    rights: Actions = (TakeBackRights(),) if view.rights else ()
    job = view.job
    if job is None or job["metadata"].get("deletionTimestamp"):
        return rights
    name, over = job["metadata"]["name"], condition(job, "Complete") or condition(job, "Failed")
    if not over and agent_state(view.pod, "terminated") is None:
        return (*rights, DeleteJob(name, job["metadata"]["uid"]))
    if job["spec"].get("ttlSecondsAfterFinished") is None:
        return (*rights, KeepJob(name, times.keep_job))
    return rights


def _leaving(view: View) -> Actions:
    """Its Job goes now: the run may stay for as long as anybody's finalizer holds it, and is not looked at again."""
    rights: Actions = (TakeBackRights(),) if view.rights else ()
    metadata = view.job["metadata"] if view.job else None
    if metadata is None or metadata.get("deletionTimestamp"):
        return rights
    return (*rights, DeleteJob(metadata["name"], metadata["uid"]))


def settle_missing(view: View, what: str, why: str, now: float) -> Actions:
    """The run names what is not there (``what``, as Kind/name); it goes on when it is."""
    return _patch(view, status.missing(view, what, why, now))


def settle_kept_out(view: View, why: str, now: float, times: Times) -> Actions:
    """The cluster takes no Job of it: a quota, a policy. That may pass, so it waits as for a pod that cannot begin."""
    if now - _since(view.run["metadata"].get("creationTimestamp"), now) >= times.start_within:
        return settle_refused(view, Reason.PodRefused, why, now)
    return (*_patch(view, status.kept_out(view, why, now)), Requeue(min(10.0, times.start_within)))


def settle_refused(view: View, reason: Reason, why: str, now: float) -> Actions:
    """The run cannot be run as it is written."""
    return (PatchStatus(status.refused(view, reason, why, now)), Emit("Warning", reason.name, why))
