"""Takes away what runs left where no owner reaches: at the start, and again and again. Nothing else needs it to be."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from sympozium_controller.lifecycle.rights import SELECTOR, SWEPT, Named, orphans
from sympozium_controller.lifecycle.view import is_final
from sympozium_controller.operator.holdings import Holdings
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import Conflict, Expired, KubeError, NotFound
from sympozium_protocol.kube.resources import Resource
from sympozium_protocol.process import log

EVERY: Final = 600.0
PAGE: Final = 500


async def sweeping(api: KubeApi, held: Holdings, namespaces: Sequence[str]) -> None:
    """Until cancelled. Who watches some ``namespaces`` only knows the runs of those, and sweeps nowhere else."""
    while True:
        for resource in SWEPT:
            for namespace in namespaces if namespaces else ("",):
                if resource.namespaced or not namespaces:
                    await _sweep(api, held, resource, namespace)
        await asyncio.sleep(EVERY)


async def _sweep(api: KubeApi, held: Holdings, resource: Resource, namespace: str) -> None:
    try:
        found = await _all(api, resource, namespace)
        living = {one["metadata"]["uid"] for one in held.runs.all() if not is_final(one)}
        for one in orphans(found, resource, living):
            log("swept", kind=resource.kind, namespace=one.namespace, name=one.name)
            await delete(api, one)
    except KubeError as error:  # next time, then
        log("not swept", kind=resource.kind, why=error.message)


async def _all(api: KubeApi, resource: Resource, namespace: str) -> list[KubeObject]:
    found: list[KubeObject] = []
    more = ""
    while True:
        try:
            page = await api.list(resource, namespace, labels=SELECTOR, limit=PAGE, more=more)
        except Expired:
            found, more = [], ""
            continue
        found += page.items
        more = page.more
        if not more:
            return found


async def delete(api: KubeApi, one: Named) -> None:
    """What is gone, or is another by now, is no fault. Raises KubeError."""
    try:
        await api.delete(one.resource, one.name, one.namespace, uid=one.uid)
    except (NotFound, Conflict):
        pass
