"""The controller as a program: caches that follow the cluster, one Lease, and the work of who holds it."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Final

from sympozium_controller.admission.asking import Asking
from sympozium_controller.operator.admitting import Admitting
from sympozium_controller.operator.busaddress import with_address
from sympozium_controller.operator.checks import Checks
from sympozium_controller.operator.deploying import Deploying
from sympozium_controller.operator.events import Events
from sympozium_controller.operator.gateways import Gateways
from sympozium_controller.operator.health import serving
from sympozium_controller.operator.holdings import Holdings
from sympozium_controller.operator.instances import Instances
from sympozium_controller.operator.judging import Judging
from sympozium_controller.operator.kept import Kept
from sympozium_controller.operator.lease import Lease
from sympozium_controller.operator.memories import Memories
from sympozium_controller.operator.metrics import CountingApi, Metrics
from sympozium_controller.operator.networks import Networks
from sympozium_controller.operator.reading import Reading
from sympozium_controller.operator.runs import Runs
from sympozium_controller.operator.settings import Settings
from sympozium_controller.operator.starting import Starting
from sympozium_controller.operator.stream import Stream
from sympozium_controller.operator.sweeping import sweeping
from sympozium_controller.operator.warming import warm
from sympozium_protocol.kube.api import KubeApi
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.login import login
from sympozium_protocol.process import log

SERVING: Final = 4
"""Instances that are worked on at once."""


async def serve(settings: Settings) -> None:
    """Until cancelled. Raises Ended: LeaseLost, or Usage for what cannot be."""
    async with Client(await login(), connections=2 * settings.workers + 16, user_agent="sympozium-controller") as api:
        metrics = Metrics()
        await _serve(settings, CountingApi(api, metrics), metrics)


async def _serve(settings: Settings, api: KubeApi, metrics: Metrics) -> None:
    leading = asyncio.Event()
    admitting = Admitting(api, leading.is_set)
    held = Holdings(api, settings.namespaces, settings.system)
    kept = Kept(api, settings.namespaces)
    events, reading, networks = Events(api), Reading(api, held), Networks(api, kept, settings.system)
    place = await with_address(api, settings.place, settings.system)
    judging = Judging(Asking(api) if admitting.wanted else None)
    starting = Starting(api, reading, judging, networks, place, held.accounts)
    stream = Stream(settings.stream) if settings.stream else None
    runs = Runs(api, held, starting, events, metrics, settings.times, stream)
    deploying = Deploying(api, kept, held.unmounted)
    gateways = Gateways(api, held.instances, kept, deploying, networks, place)
    memories = Memories(api, held.runs, kept, deploying, place, settings.keeping)
    instances = Instances(api, held, kept, reading, networks, gateways, memories, events)
    checks = Checks(api, held, events)
    lease = Lease(api, settings.system, settings.lease, settings.holder, settings.terms)
    metrics.count_runs(held.phases)
    metrics.watch((runs.queue, instances.queue, networks.queue, checks.queue))

    async def work() -> None:
        began = time.monotonic()
        warm(place)
        await held.synced()
        await kept.synced()
        gc.freeze()
        log("acts", runs=len(held.runs), seconds=round(time.monotonic() - began, 3))
        metrics.leads.set(1)
        leading.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(events.run())
            group.create_task(sweeping(api, held, settings.namespaces, runs.stray))
            if stream:
                group.create_task(stream.listen(settings.namespaces, runs.hear))
            group.create_task(runs.queue.run(runs.reconcile, settings.workers))
            group.create_task(instances.queue.run(instances.reconcile, SERVING))
            group.create_task(networks.queue.run(networks.reconcile, 1))
            group.create_task(checks.queue.run(checks.reconcile, 1))

    def waiting_for() -> str:
        return held.waiting_for() or admitting.waiting_for()

    async with serving(*settings.health, waiting_for, metrics.text) as port, asyncio.TaskGroup() as group:
        log("listens", port=port)
        group.create_task(admitting.run())
        group.create_task(held.run())
        group.create_task(kept.run())
        group.create_task(lease.lead(work))
