"""Reconciles AgentRuns: looks, lets ``lifecycle.decide`` decide, and carries out what it says."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import Final

from sympozium_controller.lifecycle import line
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
    Requeue,
    SayCancel,
    Start,
    TakeBackRights,
)
from sympozium_controller.lifecycle.decide import (
    Times,
    decide,
    settle_kept_out,
    settle_missing,
    settle_refused,
)
from sympozium_controller.lifecycle.rights import Named, taken_back
from sympozium_controller.lifecycle.view import View, attempt_of, instance_of, is_final, is_of
from sympozium_controller.names import LABEL_RUN_NAME, LABEL_RUN_UID
from sympozium_controller.operator.cache import Key, key_of
from sympozium_controller.operator.events import Events
from sympozium_controller.operator.holdings import BY_INSTANCE, BY_NAMESPACE, BY_OBJECT, BY_RUN, Holdings
from sympozium_controller.operator.metrics import Metrics
from sympozium_controller.operator.queue import Queue
from sympozium_controller.operator.starting import MissingThing, Starting
from sympozium_controller.operator.stream import Stream
from sympozium_controller.operator.sweeping import delete
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.failpoints import failpoint
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import NotFound
from sympozium_protocol.kube.resources import JOBS, PODS, RUNS

LOOKS: Final = 6
"""Looks at a run one after the other, as long as each changes something."""
MISSING_AGAIN: Final = 5.0
"""Seconds until a run that lacks something is looked at again: nobody watches Secrets."""


@dataclass
class Told:
    """What one look did: whether to look again at once."""

    again: bool = False


class Runs:
    """``queue`` holds the keys of runs."""

    def __init__(
        self,
        api: KubeApi,
        holdings: Holdings,
        starting: Starting,
        events: Events,
        metrics: Metrics,
        times: Times,
        stream: Stream | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._held = holdings
        self._starting = starting
        self._events = events
        self._metrics = metrics
        self._times = times
        self._clock = clock
        self.queue: Queue[Key] = Queue("runs")
        self._seen: dict[str, float] = {}
        self._last_pod: dict[str, KubeObject] = {}
        self._gone: set[str] = set()
        self._stream = stream
        self._outputs: dict[str, str] = {}
        self._answered: dict[str, int] = {}
        self._listen()

    # -- what makes a run worth a look ---------------------------------------------------------------------

    def _listen(self) -> None:
        held = self._held
        held.runs.on_change(self._run_changed)
        for owned in (held.jobs, held.accounts):
            owned.on_change(self._owned_changed)
        held.pods.on_change(self._pod_changed)
        held.refusals.on_change(self._told_of_job)
        held.unmounted.on_change(self._told_of_pod)
        for named in (held.instances, held.packs, held.policies, held.servers):
            named.on_change(self._named_changed)

    def _run_changed(self, before: KubeObject | None, after: KubeObject | None) -> None:
        one = after or before
        assert one is not None
        uid = one["metadata"]["uid"]
        if after is None or is_final(after):
            self._seen.pop(uid, None)
            self._last_pod.pop(uid, None)
            self._gone.discard(uid)
            self._outputs.pop(uid, None)
            self._answered.pop(uid, None)
            if before is not None and not is_final(before):
                self._next_in_line(one)
        else:
            self._seen.setdefault(uid, time.monotonic())
        self.queue.add(key_of(one))

    def _next_in_line(self, ended: KubeObject) -> None:
        """A place became free."""
        siblings = self._siblings(ended)
        for one in line.first(siblings, max(1, self._limit(ended))):
            self.queue.add(key_of(one))

    def _owned_changed(self, before: KubeObject | None, after: KubeObject | None) -> None:
        one = after or before
        assert one is not None
        metadata = one["metadata"]
        name = metadata.get("annotations", {}).get(LABEL_RUN_NAME) or _owner(one)
        if name:
            self.queue.add((metadata["namespace"], name))

    def _pod_changed(self, before: KubeObject | None, after: KubeObject | None) -> None:
        if after is None and before is not None:
            uid = before["metadata"]["labels"][LABEL_RUN_UID]
            if uid in self._seen:
                self._last_pod[uid] = before
        self._owned_changed(before, after)

    def _told_of_job(self, _: KubeObject | None, after: KubeObject | None) -> None:
        if after is not None:
            job = self._held.jobs.get(after["metadata"]["namespace"], after["involvedObject"].get("name", ""))
            if job is not None:
                self._owned_changed(None, job)

    def _told_of_pod(self, _: KubeObject | None, after: KubeObject | None) -> None:
        if after is not None:
            pod = self._held.pods.get(after["metadata"]["namespace"], after["involvedObject"].get("name", ""))
            if pod is not None:
                self._owned_changed(None, pod)

    def _named_changed(self, before: KubeObject | None, after: KubeObject | None) -> None:
        """Runs that have not begun may name it."""
        one = after or before
        assert one is not None
        namespace = one["metadata"].get("namespace", "")
        shipped = one["kind"] == "SkillPack" and namespace == self._held.system
        for run in self._held.runs.all() if shipped else self._held.runs.by(BY_NAMESPACE, namespace):
            if not is_final(run) and not run["status"].get("jobName"):
                self.queue.add(key_of(run))

    # -- one look ----------------------------------------------------------------------------------------------

    async def reconcile(self, key: Key) -> None:
        """Raises KubeError: to be tried again."""
        with self._metrics.reconcile.labels(self.queue.name).time():
            for _ in range(LOOKS):
                view = self._view(key)
                if view is None:
                    await self._left_behind(key)
                    return
                if not await self._carry_out(view, decide(view, self._clock(), self._times, self._limit(view.run))):
                    return
        self.queue.add(key, 1.0)

    def _view(self, key: Key) -> View | None:
        run = self._held.runs.get(*key)
        if run is None:
            return None
        uid = run["metadata"]["uid"]
        jobs = [one for one in self._held.jobs.by(BY_RUN, uid) if is_of(one, uid)]
        job = max(jobs, key=attempt_of, default=None)
        pod = self._pod_of(job, uid)
        return View(
            run=run,
            job=job,
            pod=pod,
            refused=self._last_words(self._held.refusals, job),
            unmounted=self._last_words(self._held.unmounted, pod),
            ahead=None if is_final(run) else self._ahead(run),
            rights=bool(self._held.accounts.by(BY_RUN, uid)),
            job_gone=uid in self._gone,
            bus=self._stream is not None,
            output=self._outputs.get(uid),
            answered=self._answered.get(uid, 0),
        )

    def _pod_of(self, job: KubeObject | None, uid: str) -> KubeObject | None:
        if job is None:
            return None
        found = [*self._held.pods.by(BY_RUN, uid), *filter(None, (self._last_pod.get(uid),))]
        return next((one for one in found if _owner(one) == job["metadata"]["name"]), None)

    def _last_words(self, told: object, about: KubeObject | None) -> str:
        if about is None:
            return ""
        cache = self._held.refusals if told is self._held.refusals else self._held.unmounted
        events = cache.by(BY_OBJECT, about["metadata"]["uid"])
        last = max(events, key=lambda one: one.get("lastTimestamp") or one.get("eventTime") or "", default=None)
        return str(last.get("message", "")) if last else ""

    def _siblings(self, run: KubeObject) -> list[KubeObject]:
        return self._held.runs.by(BY_INSTANCE, f"{run['metadata']['namespace']}/{instance_of(run)}")

    def _limit(self, run: KubeObject) -> int:
        instance = self._held.instances.get(run["metadata"]["namespace"], instance_of(run))
        spec = instance.get("spec") if instance else None
        found = spec.get("maxConcurrentRuns") if isinstance(spec, dict) else 0
        return found if isinstance(found, int) and found > 0 else 0

    def _ahead(self, run: KubeObject) -> int | None:
        limit = self._limit(run)
        if not limit:
            return None
        siblings = self._siblings(run)
        busy = {uid for one in siblings if self._is_busy(one, uid := one["metadata"]["uid"])}
        return line.ahead(run, siblings, busy, limit)

    def _is_busy(self, run: KubeObject, uid: str) -> bool:
        if is_final(run):
            return False
        view = View(run, max(self._held.jobs.by(BY_RUN, uid), key=attempt_of, default=None))
        return not view.suspended and (view.job is not None or bool(view.status.get("jobName")))

    # -- what was decided --------------------------------------------------------------------------------------

    async def _carry_out(self, view: View, actions: tuple[Action, ...]) -> bool:
        """Is it to be looked at again at once?"""
        told = Told()
        for action in actions:
            await self._do(action, view, told)
        return told.again

    @singledispatchmethod
    async def _do(self, action: Action, view: View, told: Told) -> None:
        raise AssertionError(action)

    @_do.register
    async def _(self, action: Start, view: View, told: Told) -> None:
        now = self._clock()
        try:
            job = await self._starting.start(view.run, now)
        except MissingThing as lacks:
            await self._carry_out(view, settle_missing(view, lacks.what, lacks.why, now))
            self.queue.add(key_of(view.run), MISSING_AGAIN)
            return
        except Ended as error:
            if error.reason is Reason.PodRefused:
                await self._carry_out(view, settle_kept_out(view, error.message, now, self._times))
            else:
                await self._carry_out(view, settle_refused(view, error.reason, error.message, now))
            return
        failpoint("after-job")
        if (since := self._seen.get(view.uid)) is not None:
            self._metrics.to_job.observe(time.monotonic() - since)
        self._held.jobs.put(job)
        told.again = True

    @_do.register
    async def _(self, action: Again, view: View, told: Told) -> None:
        namespace = view.run["metadata"]["namespace"]
        pods = self._held.pods.by(BY_RUN, view.uid)
        for pod in pods:
            metadata = pod["metadata"]
            await delete(self._api, Named(PODS, metadata["name"], metadata["namespace"], metadata["uid"]))
        if pods:  # two attempts of a run must never act at once
            self.queue.add(key_of(view.run), 1.0)
            return
        try:
            self._held.jobs.put(await self._starting.again(view.run, action.job, action.attempt))
            told.again = True
        except NotFound:
            why = f"the Job {namespace}/{action.job} of the attempt before was deleted, and the frozen run with it"
            await self._carry_out(view, settle_refused(view, Reason.JobLost, why, self._clock()))

    @_do.register
    async def _(self, action: PatchStatus, view: View, told: Told) -> None:
        metadata = view.run["metadata"]
        body: KubeObject = {
            "metadata": {"resourceVersion": metadata["resourceVersion"]},
            "status": dict(action.status),
        }
        failpoint("before-status")
        try:
            after = await self._api.patch(RUNS, metadata["name"], body, metadata["namespace"], subresource="status")
        except NotFound:
            return  # deleted meanwhile; its watch says so
        failpoint("after-status")
        if is_final(after):
            self._metrics.ended.labels(after["status"]["phase"], after["status"].get("reason", "")).inc()
        told.again = True
        self._held.runs.put(after)

    @_do.register
    async def _(self, action: LowerDeadline, view: View, told: Told) -> None:
        body = {"spec": {"activeDeadlineSeconds": action.seconds}}
        await self._patch_job(action.job, view, body)

    @_do.register
    async def _(self, action: KeepJob, view: View, told: Told) -> None:
        await self._patch_job(action.job, view, {"spec": {"ttlSecondsAfterFinished": action.seconds}})

    async def _patch_job(self, name: str, view: View, body: KubeObject) -> None:
        try:
            self._held.jobs.put(await self._api.patch(JOBS, name, body, view.run["metadata"]["namespace"]))
        except NotFound:
            pass  # its watch says so

    @_do.register
    async def _(self, action: DeleteJob, view: View, told: Told) -> None:
        await delete(self._api, Named(JOBS, action.job, view.run["metadata"]["namespace"], action.uid))

    @_do.register
    async def _(self, action: FindJob, view: View, told: Told) -> None:
        try:
            job = await self._api.get(JOBS, action.job, view.run["metadata"]["namespace"])
        except NotFound:
            job = None
        if job is not None and is_of(job, view.uid):
            self._held.jobs.put(job)
        else:
            self._gone.add(view.uid)
        told.again = True

    @_do.register
    async def _(self, action: ReadOutput, view: View, told: Told) -> None:
        assert self._stream is not None
        self._outputs[view.uid] = await self._stream.output(view.run["metadata"]["namespace"], view.id, action.digest)
        told.again = True

    @_do.register
    async def _(self, action: SayCancel, view: View, told: Told) -> None:
        assert self._stream is not None
        await self._stream.cancel(view.run["metadata"]["namespace"], view.id, self._clock())

    @_do.register
    async def _(self, action: LookForAnswer, view: View, told: Told) -> None:
        assert self._stream is not None
        if await self._stream.answered(view.run["metadata"]["namespace"], view.id):
            self._answered[view.uid] = view.attempt
            told.again = True

    @_do.register
    async def _(self, action: TakeBackRights, view: View, told: Told) -> None:
        await self._take_back(view.uid)

    @_do.register
    async def _(self, action: Requeue, view: View, told: Told) -> None:
        self.queue.add(key_of(view.run), action.after)

    @_do.register
    async def _(self, action: Emit, view: View, told: Told) -> None:
        self._events.tell(view.run, action.type, action.reason, action.message)

    async def _take_back(self, uid: str) -> None:
        for account in self._held.accounts.by(BY_RUN, uid):
            for one in taken_back(account):
                await delete(self._api, one)
            self._held.accounts.remove(account)

    async def _left_behind(self, key: Key) -> None:
        """The run is gone. What it owned goes with it; what lies in other namespaces is ours to delete."""
        living = {one["metadata"]["uid"] for one in self._held.runs.by(BY_NAMESPACE, key[0])}
        for account in list(self._held.accounts.all()):
            uid = account["metadata"]["labels"][LABEL_RUN_UID]
            if account["metadata"]["namespace"] == key[0] and uid not in living:
                await self._take_back(uid)


def _owner(one: KubeObject) -> str:
    """The name of the object that controls it."""
    for owner in one["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner["name"])
    return ""
