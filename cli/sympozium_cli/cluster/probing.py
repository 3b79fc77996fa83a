"""Tries whether the cluster's network enforces NetworkPolicies, and leaves nothing of it behind."""

from __future__ import annotations

import asyncio
from typing import Final

from sympozium_cli.cluster.waiting import LOOK_EVERY
from sympozium_controller.install import probe
from sympozium_controller.install.settings import Settings
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import KubeError, NotFound
from sympozium_protocol.kube.resources import KNOWN, PODS

SPARE: Final = 30.0
"""Seconds beside those that the pods may run: for their images, and for the node to say that they have ended."""


async def probed(api: Client, settings: Settings) -> tuple[probe.Verdict, str]:
    """The verdict, and a sentence for a person. An installation does not fail for it."""
    documents = probe.documents(settings)
    try:
        await _remove(api, documents)
        for one in documents:
            await api.create(KNOWN[one["apiVersion"], one["kind"]], one, settings.namespace)
        async with asyncio.timeout(probe.WITHIN + SPARE):
            found = [await _told(api, name, settings.namespace) for name in probe.PODS]
        return probe.verdict(*found)
    except TimeoutError:
        return probe.verdict("", "")
    except KubeError as error:
        return "unknown", f"whether network policies are enforced could not be found out: {error.message}"
    finally:
        await _remove(api, documents)


async def _told(api: Client, name: str, namespace: str) -> str:
    while (found := probe.told(await api.get(PODS, name, namespace))) is None:
        await asyncio.sleep(LOOK_EVERY)
    return found


async def _remove(api: Client, documents: tuple[KubeObject, ...]) -> None:
    """Until they are gone: another probe may come at once."""
    for one in documents:
        resource, metadata = KNOWN[one["apiVersion"], one["kind"]], one["metadata"]
        try:
            await api.delete(resource, metadata["name"], metadata["namespace"], grace=0)
            async with asyncio.timeout(SPARE):
                while await api.get(resource, metadata["name"], metadata["namespace"]):
                    await asyncio.sleep(LOOK_EVERY)
        except (NotFound, TimeoutError):
            continue
