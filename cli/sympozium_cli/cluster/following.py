"""One AgentRun as the API server shows it, from now to its end, however often the connection goes away meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from sympozium_cli.cluster.connecting import check_namespace, not_installed
from sympozium_cli.cluster.unreachable import briefly
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import Away, Busy, Expired, NotFound
from sympozium_protocol.kube.resources import RUNS

FINAL: Final = frozenset({"Succeeded", "Failed", "Cancelled"})
AGAIN: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds before each further attempt to reach a server that went away; the last holds on."""


def over(run: KubeObject) -> bool:
    return (run.get("status") or {}).get("phase") in FINAL


async def states(api: Client, name: str, namespace: str, tell: Callable[[str], None]) -> AsyncIterator[KubeObject]:
    """Each state of the run; the last is final. ``tell``: that the server is away, and that it is back.

    Raises Ended (RunNotFound) when there is no such run, or none any more; KubeError.
    """
    attempt = 0
    while True:
        try:
            async for run in _watched(api, name, namespace):
                if attempt:
                    tell("the API server is back")
                    attempt = 0
                yield run
                if over(run):
                    return
        except Expired:
            continue
        except (Away, Busy) as fault:
            if not attempt:
                tell(f"the API server is away ({briefly(fault)}); waiting for it")
            await asyncio.sleep(AGAIN[min(attempt, len(AGAIN) - 1)])
            attempt += 1


async def _watched(api: Client, name: str, namespace: str) -> AsyncIterator[KubeObject]:
    """Until the server ends the watch."""
    only = f"metadata.name={name}"
    try:
        page = await api.list(RUNS, namespace, fields=only)
    except NotFound:
        raise not_installed(RUNS) from None
    if not page.items:
        await check_namespace(api, namespace)
        raise Ended(Reason.RunNotFound, f"{name}: there is no AgentRun of this name in {namespace}")
    yield page.items[0]
    async for change in api.watch(RUNS, page.version, namespace, fields=only):
        if change.type == "DELETED":
            raise Ended(Reason.RunNotFound, f"{name}: was deleted")
        if change.type != "BOOKMARK":
            yield change.object
