"""Everything that the controller knows of the cluster: one cache a kind, and what is looked up in them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence

from sympozium_controller.lifecycle import trim
from sympozium_controller.lifecycle.rights import SELECTOR
from sympozium_controller.lifecycle.view import condition, instance_of, is_final, owner_of
from sympozium_controller.names import (
    LABEL_INSTANCE,
    LABEL_MANAGED_BY,
    LABEL_RUN_NAME,
    LABEL_RUN_UID,
    MANAGED_BY,
)
from sympozium_controller.operator.cache import Cache
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.resources import (
    EVENTS,
    INSTANCES,
    JOBS,
    MCP_SERVERS,
    PODS,
    POLICIES,
    RUNS,
    SERVICE_ACCOUNTS,
    SKILL_PACKS,
)

OF_RUNS = f"{LABEL_MANAGED_BY}={MANAGED_BY},{LABEL_RUN_UID}"
BY_RUN = "run"
BY_INSTANCE = "instance"
BY_OBJECT = "object"
BY_NAMESPACE = "namespace"
BY_OWNER = "owner"
UNOWNED = "unowned"
"""By the run's key: what was made for a run, and is owned by nobody any more."""
BY_BEGUN = "begun"
"""By instance: runs that have a Job and have not ended, and Jobs that have not."""


def _run_uid(one: KubeObject) -> Iterable[str]:
    return (one["metadata"].get("labels", {}).get(LABEL_RUN_UID, ""),)


def _owner(one: KubeObject) -> Iterable[str]:
    return (f"{one['metadata'].get('namespace', '')}/{owner_of(one)}",)


def _unowned(one: KubeObject) -> Iterable[str]:
    run = one["metadata"].get("annotations", {}).get(LABEL_RUN_NAME, "")
    return () if owner_of(one) else (f"{one['metadata']['namespace']}/{run}",)


def _namespace(one: KubeObject) -> Iterable[str]:
    return (one["metadata"].get("namespace", ""),)


def _instance(one: KubeObject) -> Iterable[str]:
    return (f"{one['metadata']['namespace']}/{instance_of(one)}",)


def _begun(run: KubeObject) -> Iterable[str]:
    return _instance(run) if (run.get("status") or {}).get("jobName") and not is_final(run) else ()


def _at_work(job: KubeObject) -> Iterable[str]:
    if condition(job, "Complete") or condition(job, "Failed"):
        return ()
    metadata = job["metadata"]
    return (f"{metadata['namespace']}/{metadata.get('annotations', {}).get(LABEL_INSTANCE, '')}",)


def _about(one: KubeObject) -> Iterable[str]:
    return (one["involvedObject"].get("uid", ""),)


class Holdings:
    """``namespaces``: what is watched; empty for all. The system namespace's packs are watched in any case."""

    def __init__(self, api: KubeApi, namespaces: Sequence[str], system: str) -> None:
        self.system = system
        packs = (*namespaces, system) if namespaces else ()
        by_run = {BY_RUN: _run_uid}
        of_runs = {BY_INSTANCE: _instance, BY_NAMESPACE: _namespace, BY_BEGUN: _begun}
        self.runs = Cache(api, RUNS, namespaces, trim=trim.run, indexes=of_runs)
        self.instances = Cache(api, INSTANCES, namespaces, trim=trim.packed)
        self.packs = Cache(api, SKILL_PACKS, packs, trim=trim.packed)
        self.policies = Cache(api, POLICIES, namespaces, trim=trim.packed, indexes={BY_NAMESPACE: _namespace})
        self.servers = Cache(api, MCP_SERVERS, namespaces, trim=trim.packed)
        of_jobs = {**by_run, BY_BEGUN: _at_work, UNOWNED: _unowned}
        self.jobs = Cache(api, JOBS, namespaces, labels=OF_RUNS, trim=trim.job, indexes=of_jobs)
        self.pods = Cache(api, PODS, namespaces, labels=OF_RUNS, trim=trim.pod, indexes={**by_run, UNOWNED: _unowned})
        of_accounts = {**by_run, BY_OWNER: _owner}
        self.accounts = Cache(
            api, SERVICE_ACCOUNTS, namespaces, labels=SELECTOR, trim=trim.account, indexes=of_accounts
        )
        about = {BY_OBJECT: _about}
        self.refusals = Cache(
            api,
            EVENTS,
            namespaces,
            fields="involvedObject.kind=Job,reason=FailedCreate",
            trim=trim.event,
            indexes=about,
            bookmarks=False,
        )
        self.unmounted = Cache(
            api,
            EVENTS,
            namespaces,
            fields="involvedObject.kind=Pod,reason=FailedMount",
            trim=trim.event,
            indexes=about,
            bookmarks=False,
        )

    def caches(self) -> tuple[Cache, ...]:
        return tuple(one for one in vars(self).values() if isinstance(one, Cache))

    def waiting_for(self) -> str:
        """The kinds whose objects are not all here yet."""
        return ", ".join(sorted({one.resource.kind for one in self.caches() if not one.is_synced}))

    def phases(self) -> dict[str, int]:
        return dict(Counter(one["status"].get("phase") or "New" for one in self.runs.all()))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for one in self.caches():
                group.create_task(one.run())

    async def synced(self) -> None:
        for one in self.caches():
            await one.synced()
