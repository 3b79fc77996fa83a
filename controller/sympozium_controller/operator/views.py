"""What a decision looks at, found in the caches, and what the controller remembers of runs besides."""

from __future__ import annotations

from dataclasses import dataclass, field

from sympozium_controller.lifecycle import line
from sympozium_controller.lifecycle.readiness import READY
from sympozium_controller.lifecycle.rights import Named
from sympozium_controller.lifecycle.trim import brief_of
from sympozium_controller.lifecycle.view import View, attempt_of, instance_of, is_final, is_of, owner_of
from sympozium_controller.names import LABEL_RUN_NAME, run_id
from sympozium_controller.operator.cache import Cache, Key, key_of
from sympozium_controller.operator.holdings import BY_BEGUN, BY_INSTANCE, BY_OBJECT, BY_RUN, Holdings
from sympozium_protocol.kube.api import KubeObject


@dataclass
class Memory:
    """Of runs that have not ended, by UID; nothing that a restart must not forget.

    ``seen``: since when it is known, by the monotonic clock. ``pod``: as it was last seen, when it is gone. ``gone``:
    the server has no Job of it. ``outputs``, ``answered``, ``asks``, ``questions``, ``idle``: what was read and
    heard on the bus.
    """

    seen: dict[str, float] = field(default_factory=dict)
    pod: dict[str, KubeObject] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    outputs: dict[str, str] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    asks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    questions: dict[str, dict[str, str]] = field(default_factory=dict)
    idle: set[str] = field(default_factory=set)
    accounts: dict[str, KubeObject] = field(default_factory=dict)
    """Those that are gone, with the namespaces where they had rights: until what gave them is taken back."""
    strays: dict[str, tuple[Key, set[Named]]] = field(default_factory=dict)
    """The run's key, and what gives it rights although no account says where: until that is taken back."""

    def stray(self, run: KubeObject, one: Named) -> None:
        self.strays.setdefault(run["metadata"]["uid"], (key_of(run), set()))[1].add(one)

    def has_rights(self, uid: str) -> bool:
        return uid in self.accounts or uid in self.strays

    def forget(self, uid: str) -> None:
        for kept in (self.seen, self.pod, self.outputs, self.answered, self.asks, self.questions):
            kept.pop(uid, None)
        self.gone.discard(uid)
        self.idle.discard(uid)


class Views:
    """``bus``: can runs be read and spoken to?"""

    def __init__(self, held: Holdings, memory: Memory, *, bus: bool) -> None:
        self._held = held
        self._memory = memory
        self._bus = bus

    def of(self, key: Key) -> View | None:
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
            refused=_last_words(self._held.refusals, job),
            unmounted=_last_words(self._held.unmounted, pod),
            ahead=None if is_final(run) else self._ahead(run),
            rights=bool(self._held.accounts.by(BY_RUN, uid)) or self._memory.has_rights(uid),
            job_gone=uid in self._memory.gone,
            bus=self._bus,
            output=self._memory.outputs.get(uid),
            answered=self._memory.answered.get(uid, 0),
            asks=self._memory.asks.get(uid),
            questions=self._memory.questions.get(uid),
            idle=uid in self._memory.idle,
            unready=self._unready(run),
        )

    def _unready(self, run: KubeObject) -> str:
        instance = self._held.instances.get(run["metadata"]["namespace"], instance_of(run))
        conditions = ((instance or {}).get("status") or {}).get("conditions") or ()
        ready = next((one for one in conditions if one.get("type") == READY and one.get("status") == "False"), None)
        return str(ready.get("message", "")) if ready else ""

    def _pod_of(self, job: KubeObject | None, uid: str) -> KubeObject | None:
        if job is None:
            return None
        found = [*self._held.pods.by(BY_RUN, uid), *filter(None, (self._memory.pod.get(uid),))]
        return next((one for one in found if owner_of(one) == job["metadata"]["name"]), None)

    def siblings(self, run: KubeObject) -> list[KubeObject]:
        return self._held.runs.by(BY_INSTANCE, f"{run['metadata']['namespace']}/{instance_of(run)}")

    def limit(self, run: KubeObject) -> int:
        instance = self._held.instances.get(run["metadata"]["namespace"], instance_of(run))
        found = brief_of(instance).get("maxConcurrentRuns") if instance else 0
        return found if isinstance(found, int) and found > 0 else 0

    def _ahead(self, run: KubeObject) -> int | None:
        """Where all places are taken nobody is counted: thousands may wait, and each is looked at."""
        limit = self.limit(run)
        if not limit:
            return None
        busy = self._busy(f"{run['metadata']['namespace']}/{instance_of(run)}")
        if len(busy) >= limit and run["metadata"]["uid"] not in busy:
            return len(busy) - limit + 1
        return line.ahead(run, self.siblings(run), busy, limit)

    def _busy(self, instance: str) -> set[str]:
        """The UIDs of its runs that have a Job which has not ended, whether or not their status tells of it."""
        jobs = self._held.jobs.by(BY_BEGUN, instance)
        names = ((one["metadata"]["namespace"], one["metadata"]["annotations"].get(LABEL_RUN_NAME, "")) for one in jobs)
        owners = filter(None, (self._held.runs.get(*name) for name in names))
        begun = {one["metadata"]["uid"]: one for one in (*self._held.runs.by(BY_BEGUN, instance), *owners)}
        return {uid for uid, one in begun.items() if self._is_busy(one, uid)}

    def _is_busy(self, run: KubeObject, uid: str) -> bool:
        if is_final(run):
            return False
        view = View(run, max(self._held.jobs.by(BY_RUN, uid), key=attempt_of, default=None))
        return not view.suspended and (view.job is not None or bool(view.status.get("jobName")))


def _last_words(told: Cache, about: KubeObject | None) -> str:
    events = told.by(BY_OBJECT, about["metadata"]["uid"]) if about else ()
    last = max(events, key=lambda one: one.get("lastTimestamp") or one.get("eventTime") or "", default=None)
    return str(last.get("message", "")) if last else ""


def id_of(run: KubeObject) -> Key:
    """Namespace and id, as the bus has it."""
    metadata = run["metadata"]
    return metadata["namespace"], run_id(metadata["name"], metadata["uid"])
