"""Runs that have a memory, and the program that serves them: real files, with verdicts written by hand."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sympozium_protocol import layout
from sympozium_protocol.files import digest, open_root
from sympozium_protocol.messages import Call, ParticipantSpec, Reply, ToolSpec, Verdict
from sympozium_protocol.waiting import Watch, until
from tests.support.scratch import make_ipc, run_spec

PARTICIPANT = ParticipantSpec(
    name="memory",
    role="memory",
    tools=(
        ToolSpec(name="memory_search", effect="read"),
        ToolSpec(name="memory_store", effect="idempotent"),
        ToolSpec(name="memory_list", effect="read"),
    ),
)
WHEN = "2026-01-01T00:00:00Z"


def make_run(path: Path, name: str) -> Path:
    """The ipc directory of a run that has a memory and nothing else."""
    make_ipc(path / name, run_spec(PARTICIPANT, run=name))
    return path / name


@contextmanager
def program(name: str, env: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program of this installation, ended after the ``with``."""
    started = subprocess.Popen(
        [Path(sys.executable).with_name(name), *arguments],
        env={"PATH": os.environ["PATH"], **env},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield started
    finally:
        started.terminate()
        started.wait(20)


@contextmanager
def serving(file: Path, runs: Sequence[Path]) -> Iterator[subprocess.Popen[bytes]]:
    """One ``sympozium-memory`` for these runs, ready when the body begins."""
    arguments = [word for run in runs for word in ("--ipc", str(run))]
    with program(
        "sympozium-memory", {"SYMPOZIUM_PARTICIPANT": "memory"}, "serve", "--file", str(file), *arguments
    ) as p:
        for run in runs:
            until_there(run.joinpath(*layout.tools("memory"), "1.json"))
        yield p


def until_there(path: Path) -> None:
    """Look every half millisecond; ends the benchmark after 30 s."""
    ends = time.monotonic() + 30
    while not path.exists():
        if time.monotonic() > ends:
            raise SystemExit(f"{path} did not appear")
        time.sleep(0.0005)


class Client:
    """One agent and its gate, as far as a memory sees them: one call at a time."""

    def __init__(self, run: Path) -> None:
        root = open_root(run)
        self.calls, self.verdicts, self.replies = (
            root.open(place("memory")) for place in (layout.calls, layout.verdicts, layout.replies)
        )
        self.watch = Watch()
        self.watch.add(self.replies)
        self.number = 0

    async def call(self, tool: str, **arguments: object) -> float:
        """Milliseconds from the Call written to the Reply read. Anything but ok ends the benchmark."""
        self.number += 1
        name = f"{self.number}-1"
        begin = time.perf_counter()
        data = Call(id=name, participant="memory", tool=tool, arguments=arguments).encode()
        self.calls.write(f"{name}.json", data)
        verdict = Verdict(id=name, participant="memory", decision="allow", digest=digest(data), by="bench", time=WHEN)
        self.verdicts.write(f"{name}.json", verdict.encode())
        answer = await until(lambda: self.replies.read(f"{name}.json"), self.watch)
        took = (time.perf_counter() - begin) * 1e3
        reply = Reply.decode(answer)
        if reply.outcome != "ok":
            raise SystemExit(f"{tool} was answered {reply}")
        return took

    def close(self) -> None:
        self.watch.close()
