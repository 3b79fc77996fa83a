"""What a gate costs while its run waits: with the bus, beside one without."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench.bus_pod import begin, holds, pod_of, ready, server_with_stream
from bench.proc import cpu_ms, memory_mib
from bench.report import Row
from tests.support.bus_pod import Pod

SETTLE = 8.0
IDLE = 40.0
"""Seconds."""


async def measure(path: Path) -> list[Row]:
    async with server_with_stream(path) as (server, link):
        pods = [pod_of(path, name, url) for name, url in (("alone", ""), ("bus", server.url))]
        await begin(link, pods[1])
        with pods[0], pods[1]:
            for pod in pods:
                await _work(pod)
            await asyncio.sleep(SETTLE)
            before = [cpu_ms(_pid(pod)) for pod in pods]
            await asyncio.sleep(IDLE)
            alone, on_bus = ((cpu_ms(_pid(pod)) - had) / (IDLE * 10) for pod, had in zip(pods, before, strict=True))
            rss, pss = ([memory_mib(_pid(pod), field) for pod in pods] for field in ("Rss", "Pss"))
    return [
        Row("bus: a gate's resident memory", rss[1], "MiB", 45.0, rss[0]),
        Row("  its PSS", pss[1], "MiB", None, pss[0]),
        Row(f"bus: a gate's CPU over {IDLE:g} s in which its run waits", on_bus, "%", 0.1, alone),
    ]


async def _work(pod: Pod) -> None:
    """Some steps: what a gate loads late is loaded."""
    await ready(pod)
    for number in range(1, 6):
        pod.message()
        data = pod.call(f"{number}-1", "change")
        await holds(lambda number=number: pod.has(f"bridge/verdicts/ops/{number}-1.json"), "no verdict")  # type: ignore[misc]
        pod.reply(f"{number}-1", data)


def _pid(pod: Pod) -> int:
    assert pod.gate is not None
    return pod.gate.pid
