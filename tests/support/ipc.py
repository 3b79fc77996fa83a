"""An ipc directory for tests: made as the launcher makes it, written as agent and gate write it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sympozium_protocol import layout
from sympozium_protocol.files import Directory, digest, open_root
from sympozium_protocol.messages import (
    Call,
    Manifest,
    ModelSpec,
    ParticipantSpec,
    PolicySpec,
    Reply,
    RunSpec,
    ToolSpec,
    Verdict,
)

T = TypeVar("T")
NOW = "2026-11-20T09:30:00.000Z"
PATIENCE = 20.0
"""Seconds after which a wait fails: far more than anything takes."""


def run_spec(participant: str = "subject", *tools: ToolSpec, **changes: object) -> RunSpec:
    """A run of one participant."""
    fields: dict[str, object] = {
        "run": "r1",
        "agent": "tester",
        "created": NOW,
        "input": "x",
        "model": ModelSpec(provider="scripted", model="none"),
        "participants": (ParticipantSpec(name=participant, tools=tools),),
        "policies": (PolicySpec(name="p", template="Permissive"),),
        **changes,
    }
    return RunSpec(**fields)  # type: ignore[arg-type]


def make_ipc(path: Path, spec: RunSpec) -> dict[str, str]:
    """Create the directories and run.json below ``path``; the environment of a program of that run."""
    for place in layout.places(tuple(p.name for p in spec.participants)):
        path.joinpath(*place).mkdir(parents=True, exist_ok=True)
    data = spec.encode()
    open_root(path).open(layout.RUN).write(layout.RUN_FILE, data)
    return {
        "SYMPOZIUM_IPC": str(path),
        "SYMPOZIUM_PARTICIPANT": spec.participants[0].name if spec.participants else "",
        "SYMPOZIUM_RUN_DIGEST": digest(data),
    }


def at(path: Path, place: layout.Place) -> Directory:
    """One directory of the ipc directory, to be closed."""
    with open_root(path) as root:
        return root.open(place)


def write_call(
    path: Path, call_id: str, tool: str, participant: str = "subject", timeout: float | None = None, **arguments: object
) -> bytes:
    """Write a Call as the agent does; its bytes."""
    data = Call(id=call_id, participant=participant, tool=tool, arguments=arguments, timeout=timeout).encode()
    with at(path, layout.calls(participant)) as calls:
        calls.write(f"{call_id}.json", data)
    return data


def write_verdict(path: Path, call_id: str, data: bytes, participant: str = "subject", *, deny: bool = False) -> None:
    """Write a Verdict over ``data`` as the gate does."""
    verdict = Verdict(
        id=call_id,
        participant=participant,
        decision="deny" if deny else "allow",
        digest=digest(data),
        by="test",
        time=NOW,
    )
    with at(path, layout.verdicts(participant)) as verdicts:
        verdicts.write(f"{call_id}.json", verdict.encode())


def send(
    path: Path, call_id: str, tool: str, participant: str = "subject", timeout: float | None = None, **arguments: object
) -> None:
    """A Call and its verdict."""
    write_verdict(path, call_id, write_call(path, call_id, tool, participant, timeout, **arguments), participant)


def withdraw(path: Path, call_id: str, participant: str = "subject") -> None:
    with at(path, layout.withdrawn(participant)) as withdrawn:
        withdrawn.mark(call_id)


def wait_for(probe: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    """Look until ``probe`` finds something."""
    deadline = time.monotonic() + patience
    while (found := probe()) is None:
        assert time.monotonic() < deadline, f"no {what} within {patience:g} s"
        time.sleep(0.002)
    return found


def wait_reply(path: Path, call_id: str, participant: str = "subject") -> Reply:
    with at(path, layout.replies(participant)) as replies:
        return Reply.decode(wait_for(lambda: replies.read(f"{call_id}.json"), f"reply to {call_id}"))


def wait_started(path: Path, call_id: str, participant: str = "subject") -> None:
    with at(path, layout.started(participant)) as started:
        wait_for(lambda: started.has(call_id) or None, f"started of {call_id}")


def wait_manifest(path: Path, participant: str = "subject", number: int = 1) -> Manifest:
    with at(path, layout.tools(participant)) as tools:
        return Manifest.decode(wait_for(lambda: tools.read(f"{number}.json"), f"manifest {number} of {participant}"))
