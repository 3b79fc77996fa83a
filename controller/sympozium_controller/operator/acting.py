"""Carries out what was decided about a run, one small action after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import Final, TypeAlias

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
from sympozium_controller.lifecycle.decide import Times, settle_kept_out, settle_missing, settle_refused
from sympozium_controller.lifecycle.rights import Named, taken_back
from sympozium_controller.lifecycle.view import View, is_final, is_of
from sympozium_controller.operator.cache import Key, key_of
from sympozium_controller.operator.events import Events
from sympozium_controller.operator.holdings import BY_RUN, Holdings
from sympozium_controller.operator.metrics import Metrics
from sympozium_controller.operator.starting import MissingThing, Starting
from sympozium_controller.operator.stream import Stream
from sympozium_controller.operator.sweeping import delete
from sympozium_controller.operator.views import Memory
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.failpoints import failpoint
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import NotFound
from sympozium_protocol.kube.resources import JOBS, PODS, RUNS

AWAY_AGAIN: Final = 2.0
"""Seconds until a bus that is away is asked again how a run ended."""
MISSING_AGAIN: Final = 5.0
"""Seconds until a run that lacks something is looked at again: nobody watches Secrets."""

Later: TypeAlias = Callable[[Key, float], None]
"""Look at a run again after so many seconds."""


@dataclass
class Told:
    """What one look did: whether to look again at once."""

    again: bool = False


class Acting:
    """Every method raises KubeError: to be tried again."""

    def __init__(
        self,
        api: KubeApi,
        held: Holdings,
        memory: Memory,
        starting: Starting,
        events: Events,
        metrics: Metrics,
        times: Times,
        stream: Stream | None,
        later: Later,
        clock: Callable[[], float],
    ) -> None:
        self._api = api
        self._held = held
        self._memory = memory
        self._starting = starting
        self._events = events
        self._metrics = metrics
        self._times = times
        self._stream = stream
        self._later = later
        self._clock = clock

    async def carry_out(self, view: View, actions: tuple[Action, ...]) -> bool:
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
            await self.carry_out(view, settle_missing(view, lacks.what, lacks.why, now))
            self._later(key_of(view.run), MISSING_AGAIN)
            return
        except Ended as error:
            if error.reason is Reason.PodRefused:
                await self.carry_out(view, settle_kept_out(view, error.message, now, self._times))
            else:
                await self.carry_out(view, settle_refused(view, error.reason, error.message, now))
            return
        failpoint("after-job")
        if (since := self._memory.seen.get(view.uid)) is not None:
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
            self._later(key_of(view.run), 1.0)
            return
        self._memory.asks.pop(view.uid, None)
        self._memory.questions.pop(view.uid, None)
        self._memory.idle.discard(view.uid)
        try:
            self._held.jobs.put(await self._starting.again(view.run, action.job, action.attempt))
            told.again = True
        except NotFound:
            why = f"the Job {namespace}/{action.job} of the attempt before was deleted, and the frozen run with it"
            await self.carry_out(view, settle_refused(view, Reason.JobLost, why, self._clock()))

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
            self._memory.gone.add(view.uid)
        told.again = True

    @_do.register
    async def _(self, action: ReadOutput, view: View, told: Told) -> None:
        assert self._stream is not None
        self._memory.outputs[view.uid] = await self._stream.output(
            view.run["metadata"]["namespace"], view.id, action.digest
        )
        told.again = True

    @_do.register
    async def _(self, action: SayCancel, view: View, told: Told) -> None:
        assert self._stream is not None
        await self._stream.cancel(view.run["metadata"]["namespace"], view.id, self._clock(), view.by)

    @_do.register
    async def _(self, action: LookForAnswer, view: View, told: Told) -> None:
        assert self._stream is not None
        if await self._stream.answered(view.run["metadata"]["namespace"], view.id):
            self._memory.answered[view.uid] = view.attempt
            told.again = True

    @_do.register
    async def _(self, action: ReadQuestions, view: View, told: Told) -> None:
        assert self._stream is not None
        found = await self._stream.questions(view.run["metadata"]["namespace"], view.id)
        if action.over and found is None:  # whether it waits for anybody is known to the stream alone
            self._later(key_of(view.run), AWAY_AGAIN)
            return
        if action.over and found is not None:
            self._memory.asks[view.uid] = ()
            if not found.unjudged:
                self._memory.idle.add(view.uid)
        named = found.open if found else {}
        self._memory.questions[view.uid] = dict.fromkeys(() if action.over else view.asks or (), "") | named
        told.again = True

    @_do.register
    async def _(self, action: TakeBackRights, view: View, told: Told) -> None:
        await self.take_back(view.uid)

    @_do.register
    async def _(self, action: Requeue, view: View, told: Told) -> None:
        self._later(key_of(view.run), action.after)

    @_do.register
    async def _(self, action: Emit, view: View, told: Told) -> None:
        self._events.tell(view.run, action.type, action.reason, action.message)

    async def take_back(self, uid: str) -> None:
        """The cluster may have deleted the account already, with the run that owns it."""
        gone = self._memory.accounts.get(uid)
        for account in (*self._held.accounts.by(BY_RUN, uid), *((gone,) if gone else ())):
            for one in taken_back(account):
                await delete(self._api, one)
            self._held.accounts.remove(account)
        for one in self._memory.strays.get(uid, ((), ()))[1]:
            await delete(self._api, one)
        self._memory.accounts.pop(uid, None)
        self._memory.strays.pop(uid, None)
