"""A run on a real bus: its gate as a process, what an agent would write, and what an outsider reads in the stream."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar

from sympozium_protocol import layout
from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Records, record_parts
from sympozium_protocol.bus.gather import Found, Gatherer
from sympozium_protocol.bus.link import Link, connected
from sympozium_protocol.bus.places import place_of
from sympozium_protocol.bus.reader import Stored, open_reader
from sympozium_protocol.bus.settings import BusSettings
from sympozium_protocol.bus.stream import StreamLimits, make_stream
from sympozium_protocol.bus.subjects import Own, RunKey
from sympozium_protocol.bus.writer import append
from sympozium_protocol.clock import utc
from sympozium_protocol.files import Directory, digest, open_root
from sympozium_protocol.messages import (
    Answer,
    ApprovalSpec,
    Call,
    ModelSpec,
    ParticipantSpec,
    PolicySpec,
    Question,
    Reply,
    RunResult,
    RunSpec,
    TextPart,
    ToolSpec,
    UserMessage,
    Verdict,
)
from sympozium_protocol.messages.base import Document

T = TypeVar("T")
WITHIN = 20.0
"""Seconds; only what hangs takes so long."""
NOW = 1_800_000_000.0
BRIDGE = Path(sys.executable).with_name("sympozium-bridge")
OPS = ParticipantSpec(
    name="ops", role="skill", tools=(ToolSpec(name="look", effect="read"), ToolSpec(name="change")), commands=()
)
MODEL = ParticipantSpec(name="model", role="model", tools=(ToolSpec(name="complete"),))


def spec_of(run: str, **changes: Any) -> RunSpec:
    """A run that may do everything it knows, unless told otherwise."""
    fields: dict[str, Any] = {
        "run": run,
        "agent": "tester",
        "created": utc(NOW),
        "input": "x",
        "model": ModelSpec(provider="scripted", model="m"),
        "participants": (OPS, MODEL),
        "policies": (PolicySpec(name="open", template="Permissive"),),
        "approval": ApprovalSpec(),
        **changes,
    }
    return RunSpec(**fields)


def until(condition: Callable[[], T], what: str = "it did not happen") -> T:
    """What ``condition`` gives as soon as that is true."""
    ends = time.monotonic() + WITHIN
    while not (found := condition()):
        assert time.monotonic() < ends, what
        time.sleep(0.005)  # between two looks at a condition
    return found


class Outside:
    """Somebody on the bus: each method has a connection of its own."""

    def __init__(self, url: str) -> None:
        self.settings = BusSettings(url)

    def do(self, use: Callable[[Link], Coroutine[Any, Any, T]]) -> T:
        async def main() -> T:
            async with connected(self.settings, principal="test:outside") as link:
                return await use(link)

        return asyncio.run(main())

    def make_stream(self, **limits: Any) -> None:
        self.do(lambda link: make_stream(link, StreamLimits(**limits)))

    def begin(self, spec: RunSpec) -> None:
        """Publish the run's RunSpec, as whoever makes a pod does."""
        data = Records(writer="launcher", records=tuple(record_parts("run/run.json", spec.encode()))).encode()
        self.do(lambda link: append(link, subjects.records(RunKey.of(spec)), data, last=0))

    def messages(self, run: RunKey) -> list[Stored]:
        """All there are of a run."""

        async def read(link: Link) -> list[Stored]:
            reader = await open_reader(link, run)
            return [await reader.next() for _ in range(reader.pending)]

        return self.do(read)

    def files(self, run: RunKey) -> list[Found]:
        """The run's own files, in the order of the stream."""
        gatherer = Gatherer(run)
        found = [one for message in self.messages(run) for one in gatherer.take(message)]
        return [one for one in found if isinstance(one.at, Own) and not one.path.startswith("bridge/gates/")]

    def last(self, run: RunKey) -> str:
        """The path with which the run's records end."""
        asked = f"$JS.API.DIRECT.GET.{subjects.STREAM}.{subjects.records(run)}"
        return Records.decode(self.do(lambda link: link.request(asked, b""))).records[-1].path

    def size(self, run: RunKey) -> int:
        """How many messages there are."""
        return len(self.messages(run))

    def say(self, run: RunKey, document: Document, verb: subjects.Verb, person: str = "ann") -> None:
        self.do(lambda link: link.request(subjects.said(run, verb, person), document.encode()))


class Pod:
    """A run's directory, its gate as a process, and the words of its agent. A context manager."""

    def __init__(self, path: Path, spec: RunSpec, url: str, **env: str) -> None:
        self.path = path
        self.spec = spec
        self.run = RunKey.of(spec)
        self.env = {**os.environ, "SYMPOZIUM_IPC": str(path), "SYMPOZIUM_BUS": url, **env}
        self.names = tuple(p.name for p in spec.participants)
        for place in layout.places(self.names):
            path.joinpath(*place).mkdir(parents=True, exist_ok=True)
        (path / "run/run.json").write_bytes(spec.encode())
        self.root: Directory = open_root(path)
        self.log = path.parent / f"{path.name}.log"
        self.gate: subprocess.Popen[bytes] | None = None
        self.seq = 0

    def start(self, **env: str) -> Self:
        with self.log.open("ab") as log:
            self.gate = subprocess.Popen([BRIDGE], env={**self.env, **env}, stderr=log)
        return self

    def start_again_if_killed(self, path: str) -> None:
        """When ``path`` is there, or the gate is not any more."""
        gate = self.gate
        assert gate is not None
        until(lambda: self.has(path) or gate.poll() is not None)
        if gate.poll() is not None:
            self.start()

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Its exit code after SIGTERM."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        assert self.gate is not None
        self.gate.send_signal(number)
        code = self.gate.wait(WITHIN)
        self.gate = None
        return code

    def ended(self) -> int:
        """The exit code of a gate that ends by itself."""
        assert self.gate is not None
        code = self.gate.wait(WITHIN)
        self.gate = None
        return code

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.gate is not None:
            self.kill()
        self.root.close()

    # -- what an agent and its participants write ------------------------------------------------------------------

    def put(self, path: str, data: bytes) -> bytes:
        place, name = place_of(path)
        with self.root.make(place) as directory:
            directory.write(name, data)
        return data

    def message(self, text: str = "hello") -> bytes:
        self.seq += 1
        found = UserMessage(seq=self.seq, time=utc(NOW), elapsed=0.0, text=text)
        return self.put(f"agent/transcript/{self.seq}.json", found.encode())

    def call(self, call: str, tool: str = "look", participant: str = "ops", **arguments: Any) -> bytes:
        found = Call(id=call, participant=participant, tool=tool, arguments=arguments)
        return self.put(f"agent/calls/{participant}/{call}.json", found.encode())

    def reply(self, call: str, data: bytes, participant: str = "ops", text: str = "done") -> bytes:
        found = Reply(id=call, digest=digest(data), outcome="ok", content=(TextPart(text=text),))
        return self.put(f"{participant}/replies/{call}.json", found.encode())

    def result(self) -> bytes:
        found = RunResult(
            run=self.spec.run, phase="Succeeded", reason="Completed", start_time=utc(NOW), completion_time=utc(NOW)
        )
        return self.put("agent/result.json", found.encode())

    # -- what the gate writes --------------------------------------------------------------------------------------

    def has(self, path: str) -> bool:
        return self.path.joinpath(path).exists()

    def verdict(self, call: str, participant: str = "ops") -> Verdict:
        """As soon as it is there."""
        file = self.path / f"bridge/verdicts/{participant}/{call}.json"
        until(file.exists, f"no verdict on {call}: {self.said()}")
        return Verdict.decode(file.read_bytes())

    def question(self, call: str, participant: str = "ops") -> Question:
        file = self.path / f"bridge/questions/{participant}/{call}.json"
        until(file.exists, f"no question about {call}: {self.said()}")
        return Question.decode(file.read_bytes())

    def said(self) -> str:
        """The gate's log."""
        return self.log.read_text() if self.log.exists() else ""

    def answer(self, question: Question, decision: str = "allow") -> Answer:
        """Not yet said."""
        return Answer(
            participant=question.participant,
            id=question.id,
            digest=question.digest,
            decision=decision,  # type: ignore[arg-type]
            by="somebody",
            time=utc(NOW),
        )
