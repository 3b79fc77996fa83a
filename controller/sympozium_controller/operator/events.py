"""Events as kubectl shows them with an object. They are news, not truth: each is told once, too many are dropped."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Final

from sympozium_controller.names import hashed
from sympozium_protocol.clock import utc
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.errors import KubeError
from sympozium_protocol.kube.resources import EVENTS
from sympozium_protocol.process import log

COMPONENT: Final = "sympozium-controller"
SAME_FOR: Final = 600.0
"""Seconds in which the same words about the same object are told once."""
REMEMBERED: Final = 10_000
A_SECOND: Final = 20.0
BURST: Final = 200
WAITING: Final = 1000
LONGEST: Final = 1024
"""Characters of a message: the server takes no more."""


def event(about: KubeObject, type: str, reason: str, message: str, now: float) -> KubeObject:
    """The Event. Its name is that of its words, so that telling twice is refused by the server. Pure."""
    metadata = about["metadata"]
    namespace = metadata.get("namespace") or "default"
    named = hashed(metadata["uid"], type, reason, message, str(int(now // SAME_FOR)), length=16)
    moment = utc(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name'][:200]}.{named}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": metadata["name"],
            "namespace": metadata.get("namespace", ""),
            "uid": metadata["uid"],
        },
        "type": type,
        "reason": reason,
        "message": message[:LONGEST],
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": "",
        "firstTimestamp": moment[:-5] + "Z",
        "lastTimestamp": moment[:-5] + "Z",
        "count": 1,
    }


class Events:
    """Tells what it is given from a task of its own: nobody waits for an Event."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self._told: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._waiting: asyncio.Queue[KubeObject] = asyncio.Queue(WAITING)
        self._tokens = float(BURST)
        self._since = time.monotonic()

    def tell(self, about: KubeObject, type: str, reason: str, message: str) -> None:
        """``type``: Normal or Warning. Dropped when it was told lately, or when too many wait."""
        now = time.time()
        words = (about["metadata"]["uid"], reason, message)
        if now - self._told.get(words, 0.0) < SAME_FOR:
            return
        self._told[words] = now
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        try:
            self._waiting.put_nowait(event(about, type, reason, message, now))
        except asyncio.QueueFull:
            log("event dropped", reason=reason)

    async def run(self) -> None:
        while True:
            one = await self._waiting.get()
            await asyncio.sleep(self._pause())
            try:
                await self._api.create(EVENTS, one, one["metadata"]["namespace"])
            except KubeError as error:
                log("event not told", reason=one["reason"], why=error.message)

    def _pause(self) -> float:
        """Seconds until the next may be written."""
        now = time.monotonic()
        self._tokens = min(float(BURST), self._tokens + (now - self._since) * A_SECOND)
        self._since = now
        self._tokens -= 1
        return max(0.0, -self._tokens / A_SECOND)
