"""The floors: what two processes can do at best with the same files, and what the disk takes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sympozium_protocol.durable import sync_together
from sympozium_protocol.files import open_root
from sympozium_protocol.waiting import Watch, until

ROUNDS = 200
ECHO = """
import asyncio, sys
from bench.floor import echo
asyncio.run(echo(sys.argv[1]))
"""


async def echo(path: str) -> None:
    """The other side: answers ``there/N`` with ``back/N`` until ``there/end``."""
    watch = Watch()
    there, back = open_root(f"{path}/there"), open_root(f"{path}/back")
    watch.add(there)
    back.write("ready", b"x")
    for number in range(ROUNDS):
        await until(lambda n=number: there.read(str(n)), watch)  # type: ignore[misc]
        back.write(str(number), b"x")


async def rename_and_notify() -> list[float]:
    """Milliseconds of a file renamed in, notified, and answered in the same way, between two processes."""
    with tempfile.TemporaryDirectory() as path:
        for name in ("there", "back"):
            Path(path, name).mkdir()
        watch = Watch()
        there, back = open_root(f"{path}/there"), open_root(f"{path}/back")
        watch.add(back)
        with subprocess.Popen([sys.executable, "-c", ECHO, path]) as other:
            await until(lambda: back.read("ready"), watch)
            samples = [await _there_and_back(there, back, watch, number) for number in range(ROUNDS)]
            other.wait(10)
        watch.close()
        return samples


async def _there_and_back(there, back, watch, number: int) -> float:  # type: ignore[no-untyped-def]
    begin = time.perf_counter()
    there.write(str(number), b"x")
    await until(lambda: back.read(str(number)), watch)
    return (time.perf_counter() - begin) * 1e3


def spawn() -> list[float]:
    """Milliseconds of spawning ``true`` and waiting for it."""
    samples = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        subprocess.run(["/bin/true"], check=True)
        samples.append((time.perf_counter() - begin) * 1e3)
    return samples


def durable_batch() -> list[float]:
    """Milliseconds of syncing what a write's verdict rests on: a message, a call and their directories."""
    samples = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as path:
        for name in ("transcript", "calls"):
            Path(path, name).mkdir()
        directories = [open_root(f"{path}/{name}") for name in ("transcript", "calls")]
        for number in range(ROUNDS // 2):
            for directory in directories:
                directory.write(f"{number}.json", b"x" * 400)
            begin = time.perf_counter()
            sync_together({directory: [f"{number}.json"] for directory in directories})
            samples.append((time.perf_counter() - begin) * 1e3)
    return samples


if __name__ == "__main__":
    print(asyncio.run(rename_and_notify()))
