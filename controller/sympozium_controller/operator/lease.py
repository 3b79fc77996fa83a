"""One controller acts at a time: who holds the Lease. Who loses it ends at once and is started anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import AlreadyExists, Conflict, KubeError, NotFound
from sympozium_protocol.kube.resources import LEASES
from sympozium_protocol.process import log


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds. A holder who could not renew for ``give_up`` acts no more; others take over after ``lasts``."""

    lasts: float = 15.0
    give_up: float = 10.0
    renew: float = 2.0


USUAL: Final = Terms()


def moment(seconds: float) -> str:
    """A MicroTime."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def body(name: str, holder: str, now: float, terms: Terms, before: KubeObject | None) -> KubeObject:
    """The Lease as this holder writes it. Pure."""
    had = (before or {}).get("spec", {})
    same = had.get("holderIdentity") == holder
    spec: dict[str, Any] = {
        "holderIdentity": holder,
        "leaseDurationSeconds": max(1, round(terms.lasts)),
        "renewTime": moment(now),
        "acquireTime": had.get("acquireTime") if same else moment(now),
        "leaseTransitions": int(had.get("leaseTransitions") or 0) + (0 if same or before is None else 1),
    }
    metadata: dict[str, Any] = {"name": name}
    if before is not None:
        metadata["resourceVersion"] = before["metadata"]["resourceVersion"]
    return {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata, "spec": spec}


class Lease:
    """``holder``: who we are, unlike any other, and unlike ourselves before a restart."""

    def __init__(self, api: KubeApi, namespace: str, name: str, holder: str, terms: Terms = USUAL) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name
        self._holder = holder
        self._terms = terms
        self._seen: tuple[str, float] = ("", 0.0)
        self.held = False

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait for the Lease, then work and renew it. Raises Ended (LeaseLost): it could not be renewed."""
        while not await self._try():
            await asyncio.sleep(self._terms.renew)
        self.held = True
        log("leads", lease=self._name, holder=self._holder)
        try:
            async with asyncio.TaskGroup() as group:
                renewing = group.create_task(self._renew())
                await work()
                renewing.cancel()
        finally:
            self.held = False
            await self._release()

    async def _renew(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(self._terms.renew)
            left = self._terms.give_up - (time.monotonic() - last)
            try:
                async with asyncio.timeout(max(0.0, left)):
                    held = await self._try()
            except TimeoutError:
                held = False
            if held:
                last = time.monotonic()
            elif self._seen[0] or time.monotonic() - last >= self._terms.give_up:
                raise Ended(Reason.LeaseLost, f"the lease {self._namespace}/{self._name} was lost; another one acts")

    async def _try(self) -> bool:
        """Take or renew it. False: another holds it, or the server does not answer."""
        try:
            return await self._take(await self._read())
        except (AlreadyExists, Conflict):
            return False  # somebody was faster
        except KubeError as error:
            log("lease", why=error.message)
            return False

    async def _read(self) -> KubeObject | None:
        try:
            return await self._api.get(LEASES, self._name, self._namespace)
        except NotFound:
            return None

    async def _take(self, found: KubeObject | None) -> bool:
        wanted = body(self._name, self._holder, time.time(), self._terms, found)
        if found is None:
            await self._api.create(LEASES, wanted, self._namespace)
        elif self._is_free(found):
            await self._api.patch(LEASES, self._name, wanted, self._namespace)
        else:
            return False
        self._seen = ("", 0.0)
        return True

    def _is_free(self, found: KubeObject) -> bool:
        """By our own clock: another's may be wrong. What has not changed for its whole length is free."""
        spec = found.get("spec", {})
        holder = spec.get("holderIdentity") or ""
        if holder in ("", self._holder):
            return True
        version = found["metadata"]["resourceVersion"]
        if self._seen[0] != version:
            self._seen = (version, time.monotonic())
            return False
        return time.monotonic() - self._seen[1] > float(spec.get("leaseDurationSeconds") or self._terms.lasts)

    async def _release(self) -> None:
        """So that the next one need not wait; where that fails, it waits."""
        free = {"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}}
        try:
            found = await self._read()
            if found and found.get("spec", {}).get("holderIdentity") == self._holder:
                version = {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"]}}
                async with asyncio.timeout(self._terms.renew):
                    await self._api.patch(LEASES, self._name, free | version, self._namespace)
        except (KubeError, TimeoutError) as error:
            log("lease", why=f"not given back: {error}")
