"""Reconciles AgentRuns: hears what changed, looks, lets ``lifecycle.decide`` decide, and has it carried out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from sympozium_controller.lifecycle import line
from sympozium_controller.lifecycle.decide import Times, decide
from sympozium_controller.lifecycle.rights import Named
from sympozium_controller.lifecycle.view import instance_of, is_final, owner_of
from sympozium_controller.names import LABEL_RUN_NAME, LABEL_RUN_UID
from sympozium_controller.operator.acting import Acting
from sympozium_controller.operator.cache import Key, key_of
from sympozium_controller.operator.events import Events
from sympozium_controller.operator.holdings import BY_NAMESPACE, Holdings
from sympozium_controller.operator.left import Left
from sympozium_controller.operator.metrics import Metrics
from sympozium_controller.operator.queue import Queue
from sympozium_controller.operator.starting import Starting
from sympozium_controller.operator.stream import Stream
from sympozium_controller.operator.views import Memory, Views, id_of
from sympozium_protocol.kube.api import KubeApi, KubeObject

LOOKS: Final = 6
"""Looks at a run one after the other, as long as each changes something."""
TOGETHER: Final = 0.02
"""Seconds: places of an instance that become free within them are given away together."""


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
        self.queue: Queue[Key] = Queue("runs")
        self._held = holdings
        self._starting = starting
        self._times = times
        self._clock = clock
        self._memory = memory = Memory()
        self._by_id: dict[Key, KubeObject] = {}
        self._freed: set[Key] = set()
        self._views = Views(holdings, memory, bus=stream is not None)
        self._acting = Acting(api, holdings, memory, starting, events, metrics, times, stream, self.queue.add, clock)
        self._left = Left(api, holdings, memory, self._acting)
        self._listen()

    # -- what makes a run worth a look ---------------------------------------------------------------------

    def _listen(self) -> None:
        held = self._held
        held.runs.on_change(self._run_changed)
        held.jobs.on_change(self._owned_changed)
        held.accounts.on_change(self._account_changed)
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
            self._memory.forget(uid)
            self._by_id.pop(id_of(one), None)
            if before is not None and not is_final(before):
                self._next_in_line(one)
        else:
            self._memory.seen.setdefault(uid, time.monotonic())
            self._by_id[id_of(one)] = one
        self.queue.add(key_of(one), soon=before is None)  # somebody waits for it to begin

    def _next_in_line(self, ended: KubeObject) -> None:
        """A place became free. Of a thousand that go at once the line is looked through once."""
        place = (ended["metadata"]["namespace"], instance_of(ended))
        if place not in self._freed:
            self._freed.add(place)
            asyncio.get_running_loop().call_later(TOGETHER, self._look_at_first, place, ended)

    def _look_at_first(self, place: Key, ended: KubeObject) -> None:
        self._freed.discard(place)
        siblings = self._views.siblings(ended)
        for one in line.first(siblings, max(1, self._views.limit(ended))):
            self.queue.add(key_of(one))

    def _owned_changed(self, before: KubeObject | None, after: KubeObject | None) -> None:
        one = after or before
        assert one is not None
        metadata = one["metadata"]
        name = metadata.get("annotations", {}).get(LABEL_RUN_NAME) or owner_of(one)
        if name:
            self.queue.add((metadata["namespace"], name))

    def _account_changed(self, before: KubeObject | None, after: KubeObject | None) -> None:
        """One that lost its owner is as good as gone: it does not go with the run any more."""
        if before is not None and owner_of(before) and (after is None or not owner_of(after)):
            self._memory.accounts[before["metadata"]["labels"][LABEL_RUN_UID]] = before
            after = None
        self._owned_changed(before, after)

    def _pod_changed(self, before: KubeObject | None, after: KubeObject | None) -> None:
        if after is None and before is not None:
            uid = before["metadata"]["labels"][LABEL_RUN_UID]
            if uid in self._memory.seen:
                self._memory.pod[uid] = before
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

    def hear(self, namespace: str, run: str, asks: tuple[str, ...]) -> None:
        """A gate said how it stands: the calls for which it waits for a person."""
        one = self._by_id.get((namespace, run))
        if one is not None and self._memory.asks.get(one["metadata"]["uid"]) != asks:
            self._memory.asks[one["metadata"]["uid"]] = asks
            self._memory.questions.pop(one["metadata"]["uid"], None)
            self.queue.add(key_of(one))

    def stray(self, run: KubeObject, one: Named) -> None:
        """A sweep found what gives this run rights while it has no account: they go when it ends."""
        self._memory.stray(run, one)

    # -- one look ----------------------------------------------------------------------------------------------

    async def reconcile(self, key: Key) -> None:
        """Raises KubeError: to be tried again."""
        await self._left.clear(key)
        for _ in range(LOOKS):
            view = self._views.of(key)
            if view is None:
                return
            if view.refused and view.pod is None and not is_final(view.run):
                await self._starting.account_again(key[0])
            actions = decide(view, self._clock(), self._times, self._views.limit(view.run))
            if not await self._acting.carry_out(view, actions):
                return
        self.queue.add(key, 1.0)
