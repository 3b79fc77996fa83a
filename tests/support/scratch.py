"""A scratch ipc directory, and the hands of the agent and the gate in it: what a participant is tested against."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

from sympozium_protocol import layout
from sympozium_protocol.clock import utc
from sympozium_protocol.files import digest
from sympozium_protocol.messages import (
    Call,
    ModelSpec,
    ParticipantSpec,
    PolicySpec,
    Reply,
    RunSpec,
    Started,
    Verdict,
)

T = TypeVar("T")
NOW = 1_800_000_000.0


def run_spec(*participants: ParticipantSpec, **changes: object) -> RunSpec:
    """A RunSpec with what must be in one; everything is allowed."""
    fields: dict[str, object] = {
        "run": "r1",
        "agent": "a",
        "created": utc(NOW),
        "input": "x",
        "model": ModelSpec(provider="scripted", model="m"),
        "participants": participants,
        "policies": (PolicySpec(name="permissive", template="Permissive"),),
        **changes,
    }
    return RunSpec(**fields)  # type: ignore[arg-type]


def make_ipc(path: Path, spec: RunSpec) -> Ipc:
    """Every directory of the run, and its run.json."""
    for place in layout.places(tuple(p.name for p in spec.participants)):
        path.joinpath(*place).mkdir(parents=True, exist_ok=True)
    ipc = Ipc(path, spec)
    ipc.put(spec.encode(), *layout.RUN, layout.RUN_FILE)
    return ipc


class Ipc:
    """Writes what the agent and the gate would write, and reads what the participant wrote."""

    def __init__(self, path: Path, spec: RunSpec) -> None:
        self.path = path
        self.spec = spec

    def put(self, data: bytes, *where: str) -> None:
        """Make a file appear whole."""
        aside = self.path / ".aside"
        aside.write_bytes(data)
        aside.rename(self.path.joinpath(*where))

    def send(self, call_id: str, participant: str, tool: str, *, timeout: float | None = None, **more: object) -> None:
        """A call with the arguments ``more`` (or in it ``arguments``), and the verdict that allows it."""
        arguments = more.pop("arguments", more)
        call = Call(id=call_id, participant=participant, tool=tool, arguments=arguments, timeout=timeout)  # type: ignore[arg-type]
        data = call.encode()
        self.put(data, *layout.calls(participant), f"{call_id}.json")
        verdict = Verdict(
            id=call_id, participant=participant, decision="allow", digest=digest(data), by="test", time=utc(NOW)
        )
        self.put(verdict.encode(), *layout.verdicts(participant), f"{call_id}.json")

    def withdraw(self, call_id: str, participant: str) -> None:
        self.path.joinpath(*layout.withdrawn(participant), call_id).touch()

    def started(self, call_id: str, participant: str) -> Started | None:
        file = self.path.joinpath(*layout.started(participant), call_id)
        return Started.decode(file.read_bytes()) if file.exists() else None

    def reply(self, call_id: str, participant: str) -> Reply | None:
        file = self.path.joinpath(*layout.replies(participant), f"{call_id}.json")
        return Reply.decode(file.read_bytes()) if file.exists() else None

    def blob(self, name: str, participant: str) -> bytes:
        return self.path.joinpath(*layout.blobs(participant), name).read_bytes()


def soon(probe: Callable[[], T | Literal[False] | None], what: str, within: float = 30.0) -> T:
    """What ``probe`` finds, looked for until it is there; the deadline only ends a test that hangs."""
    until = time.monotonic() + within
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"not within {within:g} s: {what}")
        time.sleep(0.005)
