"""Takes away what runs left where no owner reaches: at the start, and again and again.

What gives rights to a run that still needs them, but whose account is gone, is told to whoever looks at runs: without
the account nothing else says where they are, and they must go when the run ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from sympozium_controller.lifecycle.rights import SELECTOR, SWEPT, Named, named, orphans
from sympozium_controller.lifecycle.trim import account
from sympozium_controller.lifecycle.view import is_final
from sympozium_controller.names import LABEL_RUN_UID
from sympozium_controller.operator.holdings import BY_RUN, Holdings
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import Conflict, Expired, KubeError, NotFound
from sympozium_protocol.kube.resources import Resource
from sympozium_protocol.process import log

EVERY: Final = 600.0
AGAIN: Final = 15.0
"""Seconds between sweeps; the latter when the server let one of them fail."""
PAGE: Final = 500

Stray: TypeAlias = Callable[[KubeObject, Named], None]
"""Told a run that goes on, and what gives it rights while it has no account."""


async def sweeping(api: KubeApi, held: Holdings, namespaces: Sequence[str], stray: Stray) -> None:
    """Until cancelled. Who watches some ``namespaces`` only knows the runs of those, and sweeps nowhere else."""
    while True:
        whole = True
        for resource in SWEPT:
            for namespace in namespaces if namespaces else ("",):
                if resource.namespaced or not namespaces:
                    whole &= await _sweep(api, held, resource, namespace, stray)
        await asyncio.sleep(EVERY if whole else AGAIN)


async def _sweep(api: KubeApi, held: Holdings, resource: Resource, namespace: str, stray: Stray) -> bool:
    """Did the server let it be done?"""
    try:
        found = await _all(api, resource, namespace)
        living = {one["metadata"]["uid"]: one for one in held.runs.all() if not is_final(one)}
        for one in found:
            uid = one["metadata"]["labels"][LABEL_RUN_UID]
            if uid in living and not held.accounts.by(BY_RUN, uid):
                stray(living[uid], named(one, resource))
        for gone in orphans(found, resource, living.keys()):
            log("swept", kind=resource.kind, namespace=gone.namespace, name=gone.name)
            await delete(api, gone)
    except KubeError as error:
        log("not swept", kind=resource.kind, why=error.message)
        return False
    return True


async def _all(api: KubeApi, resource: Resource, namespace: str) -> list[KubeObject]:
    found: list[KubeObject] = []
    more = ""
    while True:
        try:
            page = await api.list(resource, namespace, labels=SELECTOR, limit=PAGE, more=more, each=account)
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
