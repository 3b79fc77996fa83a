"""How fast a run is in its stream: one file, a call that writes, a thousand files at once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.bus_pod import all_of, begin, linked, next_of, pod_of, ready, server_with_stream
from bench.report import Row, p50, p99
from sympozium_protocol import layout
from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.gather import Gatherer
from sympozium_protocol.bus.link import Link
from sympozium_protocol.bus.reader import Reader, Stored, open_reader
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.bus.writer import append
from sympozium_protocol.waiting import Watch, until
from tests.support.bus_pod import Pod
from tests.support.nats import NatsServer

ROUNDS = 300
CALLS = 100
BURST = 1000
PAUSE = 0.02
"""Seconds between two samples: what the last one left to do is done."""
AWAY = 5.0
"""Seconds: long enough for the gate to look for the server as rarely as it ever does."""
TEXT = "x" * 400


class Acknowledged:
    """The floor: publishing the same bytes to a subject of its own, and the server's word that they are on disk."""

    def __init__(self, link: Link, run: str) -> None:
        self._link = link
        self._subject = subjects.records(RunKey("default", run))
        self._last = 0
        self.samples: list[float] = []

    async def measure(self, data: bytes) -> None:
        began = time.perf_counter()
        self._last = await append(self._link, self._subject, data, last=self._last)
        self.samples.append((time.perf_counter() - began) * 1e3)


async def delivery(pod: Pod, reader: Reader, floor: Acknowledged) -> list[float]:
    """Milliseconds from a file written to a subscriber having it."""
    found = []
    for _ in range(ROUNDS):
        await asyncio.sleep(PAUSE)
        began = time.perf_counter()
        pod.message(TEXT)
        message = await next_of(reader)
        found.append((time.perf_counter() - began) * 1e3)
        await asyncio.sleep(PAUSE)
        await floor.measure(message.data)
    return found


async def calls(pods: Sequence[Pod], reader: Reader, floor: Acknowledged) -> list[list[float]]:
    """Milliseconds from a ``write`` call written to its verdict, of each pod and the floor by turns.

    The last is on the bus. A message of the transcript comes right before each call, as in a run.
    """
    found: list[list[float]] = [[] for _ in pods]
    watch = Watch()
    verdicts = [pod.root.open(layout.verdicts("ops")) for pod in pods]
    for directory in verdicts:
        watch.add(directory)
    for number in range(CALLS):
        for pod, directory, samples in zip(pods, verdicts, found, strict=True):
            call = f"{number + 1}-1"
            await asyncio.sleep(PAUSE)
            pod.message(TEXT)
            began = time.perf_counter()
            data = pod.call(call, "change", argument=TEXT)
            await until(lambda directory=directory, call=call: directory.read(f"{call}.json"), watch)  # type: ignore[misc]
            samples.append((time.perf_counter() - began) * 1e3)
            pod.reply(call, data)
        _, messages = await _read_to(reader, Gatherer(pods[-1].run), f"ops/replies/{number + 1}-1.json")
        await asyncio.sleep(PAUSE)
        await floor.measure(messages[-1].data)
    watch.close()
    return found


async def _read_to(reader: Reader, gatherer: Gatherer, path: str) -> tuple[list[str], list[Stored]]:
    """The files and messages up to this file."""
    paths: list[str] = []
    messages: list[Stored] = []
    while path not in paths:
        messages.append(await next_of(reader))
        paths += [one.path for one in gatherer.take(messages[-1])]
    return paths, messages


@dataclass(frozen=True, slots=True)
class Burst:
    """Seconds until all were received. ``written``: what the writing alone took."""

    took: float
    written: float
    messages: int


async def burst(pod: Pod, reader: Reader) -> Burst:
    first, began = pod.seq + 1, time.perf_counter()
    written = _write_all(pod)
    messages = await _received(pod, reader, first)
    return Burst(time.perf_counter() - began, written, len(messages))


async def burst_while_away(pod: Pod, server: NatsServer, after: int) -> tuple[Burst, float]:
    """The server is killed, the files are written, and it comes back: from the gate being there again, by the
    gate's clock and the server's, which are the same; and from the server's return, which the gate has to notice."""
    server.kill()
    first, written = pod.seq + 1, _write_all(pod)
    await asyncio.sleep(AWAY)
    server.start()
    began = time.perf_counter()
    async with linked(server) as link:
        messages = await _received(pod, await open_reader(link, pod.run, after), first)
        took = time.perf_counter() - began
    reached = [json.loads(line) for line in pod.said().splitlines() if '"bus reached"' in line][-1]["time"]
    return Burst(_seconds(messages[-1].time) - _seconds(reached), written, len(messages)), took


def _seconds(time_of: str) -> float:
    return datetime.fromisoformat(time_of).timestamp()


def _write_all(pod: Pod) -> float:
    began = time.perf_counter()
    for _ in range(BURST):
        pod.message(TEXT)
    return time.perf_counter() - began


async def _received(pod: Pod, reader: Reader, first: int) -> list[Stored]:
    """The messages that the burst came in."""
    expected = [f"agent/transcript/{number}.json" for number in range(first, first + BURST)]
    paths, messages = await _read_to(reader, Gatherer(pod.run), expected[-1])
    if paths != expected:
        raise SystemExit("the files of a burst are not in the stream in their order")
    return messages


async def measure(path: Path) -> list[Row]:
    async with server_with_stream(path) as (server, link):
        floors = [Acknowledged(link, run) for run in ("floor-1", "floor-2")]
        pods = [pod_of(path, name, url) for name, url in (("alone", ""), ("bus", server.url))]
        after = await begin(link, pods[1])
        with pods[0], pods[1]:
            for pod in pods:
                await ready(pod)
            reader = await open_reader(link, pods[1].run, after)
            delivered = await delivery(pods[1], reader, floors[0])
            alone, on_bus = await calls(pods, reader, floors[1])
            at_once = await burst(pods[1], reader)
            away, noticed = await burst_while_away(pods[1], server, (await all_of(link, pods[1].run))[-1].seq)
    acks = [floor.samples for floor in floors]
    return [
        *_delivery_rows(acks[0], delivered),
        *_call_rows(acks[1], alone, on_bus),
        *_burst_rows(at_once, away, noticed),
    ]


def _delivery_rows(acks: list[float], delivered: list[float]) -> list[Row]:
    ack = p50(acks)
    return [
        Row("bus: file written to received by a subscriber, p50", p50(delivered), "ms", ack + 2.0, ack),
        Row("bus: file written to received by a subscriber, p99", p99(delivered), "ms", 10.0, p99(acks)),
    ]


def _call_rows(acks: list[float], alone: list[float], on_bus: list[float]) -> list[Row]:
    ack, without = p50(acks), p50(alone)
    return [
        Row("bus: a write call to its verdict, p50", p50(on_bus), "ms", without + 2 * ack, without),
        Row("bus: a write call to its verdict, p99", p99(on_bus), "ms", None, p99(alone)),
        Row("  an acknowledgement meanwhile, p50", ack, "ms"),
    ]


def _burst_rows(at_once: Burst, away: Burst, noticed: float) -> list[Row]:
    return [
        Row(f"bus: {BURST} files in one burst, written to received", at_once.took, "s", 1.0, at_once.written),
        Row("  in so many messages", at_once.messages, ""),
        Row(f"bus: {BURST} files written while the server was away", away.took, "s", 1.0, away.written),
        Row("  in so many messages", away.messages, ""),
        Row("  from the server's return to all of them received", noticed, "s"),
    ]
