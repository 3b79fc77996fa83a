"""An API server as a measurement uses it: objects created many at once, changes stamped when they are seen."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import pytest

from sympozium_protocol.kube.api import Change, KubeObject
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.login import login
from sympozium_protocol.kube.resources import RUNS, Resource

T = TypeVar("T")
AT_ONCE = 32
"""Requests that this client has open at the same time."""
WITHIN = 300.0
"""Seconds; only what hangs takes so long."""


def number(variable: str, usual: int) -> int:
    """How many, unless the environment says otherwise."""
    return int(os.environ.get(variable, usual))


@contextmanager
def possible() -> Iterator[None]:
    """Ends the program with the reason where there is no cluster, node or image to measure with."""
    try:
        yield
    except (pytest.skip.Exception, pytest.fail.Exception) as why:
        raise SystemExit(f"cannot be measured here: {why}") from None


@asynccontextmanager
async def client(kubeconfig: Path) -> AsyncIterator[Client]:
    async with Client(await login(str(kubeconfig)), connections=AT_ONCE + 8) as api:
        yield api


@asynccontextmanager
async def following(
    api: Client, resource: Resource, namespace: str, hear: Callable[[Change], None]
) -> AsyncIterator[None]:
    """``hear`` is called with each change from now on. A watch that fails ends the measurement: it would miss some."""
    page = await api.list(resource, namespace, limit=1)

    async def follow(version: str) -> None:
        while True:
            async for change in api.watch(resource, version, namespace):
                version = change.version
                if change.type != "BOOKMARK":
                    hear(change)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(follow(page.version))
        yield
        task.cancel()


def as_they_come(found: AsyncIterator[T]) -> Iterator[T]:
    """What is measured, each told before the next is begun. One task runs all of it, so that a failure ends it."""
    told: SimpleQueue[T | None] = SimpleQueue()

    async def tell() -> None:
        try:
            async for row in found:
                told.put(row)
        finally:
            told.put(None)

    with ThreadPoolExecutor(1) as thread:
        measuring = thread.submit(asyncio.run, tell())
        while (row := told.get()) is not None:
            yield row
        measuring.result()


async def seen(look: Callable[[], T | None], what: str, every: float = 0.02) -> T:
    """What ``look`` finds, as soon as it finds something."""
    ends = time.monotonic() + WITHIN
    while not (found := look()):
        if time.monotonic() > ends:
            raise SystemExit(f"not within {WITHIN:.0f} s: {what}")
        await asyncio.sleep(every)
    return found


async def together(tasks: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All of these, as many at once as there are connections."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(task: Coroutine[Any, Any, T]) -> T:
        async with free:
            return await task

    return await asyncio.gather(*map(one, tasks))


async def create_run(api: Client, namespace: str, instance: str, name: str) -> tuple[KubeObject, float]:
    """A new AgentRun, and when its create had returned."""
    body = {
        "apiVersion": RUNS.api_version,
        "kind": RUNS.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"instanceRef": instance, "input": "look around"},
    }
    made = await api.create(RUNS, body, namespace)
    return made, time.perf_counter()
