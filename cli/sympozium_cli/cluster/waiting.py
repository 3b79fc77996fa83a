"""Waits until what was applied does what it is there for, and says what is still missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from sympozium_cli.cluster.readiness import Hopeless, awaited, missing, troubles
from sympozium_cli.cluster.replacing import replace_stuck
from sympozium_cli.cluster.unreachable import briefly
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import Away, Busy, KubeError, NotFound
from sympozium_protocol.kube.resources import KNOWN, PODS, STATEFUL_SETS

LOOK_EVERY: Final = 0.5
"""Seconds between two looks."""
WAY_OUT: Final = "name a StorageClass with --bus-storage-class, or leave the bus without a volume: --bus-storage none"
"""Where nobody makes the bus's volume."""
_NO_VOLUME: Final = "PersistentVolumeClaim"


class Waiting:
    """For some objects, all at once. ``tell``: is told what is missing, whenever that has changed."""

    def __init__(self, api: Client, objects: Sequence[KubeObject], tell: Callable[[str], None]) -> None:
        self._api = api
        self._left = [one for one in objects if awaited(one)]
        self._tell = tell
        self._said = ""

    async def until_done(self, seconds: float) -> None:
        """Raises Ended (EngineLost) naming what did not come, and why as far as pods tell."""
        try:
            async with asyncio.timeout(seconds):
                while await self._look():
                    await asyncio.sleep(LOOK_EVERY)
        except TimeoutError:
            advice = f"; {WAY_OUT}" if _NO_VOLUME in self._said else ""
            what = f"{self._said}; given up after {seconds:.0f} s (--timeout){advice}"
            raise Ended(Reason.EngineLost, what) from None

    async def _look(self) -> bool:
        """False: nothing is missing any more."""
        found = []
        for one in self._left:
            if said := await self._missing(one):
                found.append((one, said))
        self._left = [one for one, _ in found]
        if found:
            whole = "; ".join([f"{named(one)}: {said}" for one, said in found] + list(await self._troubles()))
            if whole != self._said:
                self._said = whole
                self._tell(whole)
        return bool(found)

    async def _missing(self, one: KubeObject) -> str:
        resource, metadata = KNOWN[one["apiVersion"], one["kind"]], one["metadata"]
        try:
            found = await self._api.get(resource, metadata["name"], metadata.get("namespace", ""))
            if resource is STATEFUL_SETS:
                for name in await replace_stuck(self._api, found):
                    self._tell(f"pod {name} of the former settings never became ready: replaced")
            return missing(found)
        except (Away, Busy) as error:
            return f"the API server is away ({briefly(error)})"
        except NotFound:
            raise Ended(Reason.MissingReference, f"{named(one)}: somebody has deleted it") from None
        except Hopeless as why:
            said = "; ".join([str(why), *await self._troubles()])
            raise Ended(Reason.EngineLost, f"{named(one)}: {said}") from None

    async def _troubles(self) -> tuple[str, ...]:
        """Of the pods of what is left."""
        found: list[KubeObject] = []
        for one in self._left:
            labels = one.get("spec", {}).get("template", {}).get("metadata", {}).get("labels")
            if labels:
                selector = ",".join(f"{name}={value}" for name, value in labels.items())
                try:
                    found += (await self._api.list(PODS, one["metadata"]["namespace"], labels=selector)).items
                except KubeError:  # it is told with what is missing
                    return ()
        return troubles(found)


def named(one: KubeObject) -> str:
    """An object as people name it."""
    metadata = one["metadata"]
    return f"{one['kind']} {'/'.join(filter(None, (metadata.get('namespace'), metadata['name'])))}"
