"""Two hundred gates on one server at once, each with a whole small run."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.bus_pod import all_of, begin, holds, pod_of, ready, server_with_stream
from bench.proc import memory_mib
from bench.report import Row
from sympozium_protocol.bus.gather import Gatherer
from sympozium_protocol.bus.link import Link
from tests.support.bus_pod import Pod

GATES = int(os.environ.get("BENCH_GATES", "200"))
BATCH = 8
"""Gates that start at the same time: what is measured is the bus, not how Python starts."""
STEPS = 3
LOOK = 0.05


async def start(link: Link, pods: Sequence[Pod], stack: ExitStack) -> None:
    for at in range(0, len(pods), BATCH):
        batch = pods[at : at + BATCH]
        for pod in batch:
            await begin(link, pod)
            stack.enter_context(pod)
        await asyncio.gather(*map(ready, batch))


async def run(pod: Pod) -> list[str]:
    """A whole run; the paths that its stream should then have, in their order."""
    expected = ["run/run.json"]
    for number in range(1, STEPS + 1):
        call = f"{number}-1"
        pod.message()
        data = pod.call(call, "change")
        await holds(lambda call=call: pod.has(f"bridge/verdicts/ops/{call}.json"), "no verdict", LOOK)  # type: ignore[misc]
        pod.reply(call, data)
        expected += [f"agent/transcript/{number}.json", f"agent/calls/ops/{call}.json"]
        expected += [f"bridge/verdicts/ops/{call}.json", f"ops/replies/{call}.json"]
    pod.message()
    pod.result()
    await holds(lambda: _is_durable(pod), f"{pod.path}: is not durable", LOOK)
    return [*expected, f"agent/transcript/{STEPS + 1}.json", "agent/result.json"]


def _is_durable(pod: Pod) -> bool:
    return pod.has("bridge/durable") and b'"result":true' in (pod.path / "bridge/durable").read_bytes()


async def is_whole(link: Link, pod: Pod, expected: list[str]) -> bool:
    """Is every file in the stream once, in order, and the same as in the pod?"""
    gatherer = Gatherer(pod.run)
    found = [one for message in await all_of(link, pod.run) for one in gatherer.take(message)]
    found = [one for one in found if not one.path.startswith("bridge/gates/")]  # of the stream alone
    same = all(one.data == (pod.path / one.path).read_bytes() for one in found)
    return same and [one.path for one in found] == expected


def stop(pods: Sequence[Pod]) -> None:
    for pod in pods:
        if pod.gate is not None:
            pod.gate.send_signal(signal.SIGTERM)
    for pod in pods:
        pod.stop()


async def measure(path: Path) -> list[Row]:
    async with server_with_stream(path) as (server, link):
        with ExitStack() as stack:
            pods = [pod_of(path, f"r{number}", server.url) for number in range(GATES)]
            empty = memory_mib(server.pid, "Rss")
            began = time.perf_counter()
            await start(link, pods, stack)
            up = time.perf_counter()
            expected = await asyncio.gather(*map(run, pods))
            done = time.perf_counter()
            memory = {
                field: sum(memory_mib(pod.gate.pid, field) for pod in pods if pod.gate) for field in ("Pss", "Rss")
            }
            whole = [await is_whole(link, pod, paths) for pod, paths in zip(pods, expected, strict=True)]
            held = memory_mib(server.pid, "Rss")
            stop(pods)
            ended = time.perf_counter()
    return [
        Row(f"bus: of {GATES} gates on one server, runs complete", sum(whole), "", GATES, at_least=True),
        Row(f"  until all had started, {BATCH} at a time", up - began, "s"),
        Row(f"  until all had their run ({STEPS} write calls) on disk and in the stream", done - up, "s"),
        Row("  until all had ended", ended - done, "s"),
        Row("  their PSS, all together", memory["Pss"], "MiB"),
        Row("  their resident memory, all together", memory["Rss"], "MiB"),
        Row("  the server's resident memory", held, "MiB", None, empty),
    ]
