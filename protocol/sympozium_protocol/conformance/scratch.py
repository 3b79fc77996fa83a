"""A scratch run: its directories and documents, written as the agent and the gate would write them."""

from __future__ import annotations

import json
import shutil
import string
import tempfile
import time
from pathlib import Path
from typing import Final

from sympozium_protocol import layout
from sympozium_protocol.clock import utc
from sympozium_protocol.conformance.asking import Ask
from sympozium_protocol.conformance.inplace import InPlace
from sympozium_protocol.files import Directory, digest, open_root
from sympozium_protocol.messages import Call, ModelSpec, ParticipantSpec, PolicySpec, RunSpec, ToolSpec, Verdict
from sympozium_protocol.messages.base import JsonObject

_ANY_NAME: Final = (*string.ascii_letters, "_")


class Scratch:
    """One ipc directory with one participant in its RunSpec."""

    def __init__(self, name: str, tools: tuple[ToolSpec, ...], more: JsonObject | None = None) -> None:
        self.name = name
        self.base = Path(tempfile.mkdtemp(prefix="sympozium-conformance-"))
        self.ipc = self.base / "ipc"
        for place in layout.places((name,)):
            self.ipc.joinpath(*place).mkdir(parents=True, exist_ok=True)
        for private in ("workspace", "tmp"):
            (self.base / private).mkdir()
        self.root = open_root(self.ipc)
        data = run_spec(name, tools, more or {}).encode()
        self.at(layout.RUN).write(layout.RUN_FILE, data)
        self.environment = {
            "SYMPOZIUM_IPC": str(self.ipc),
            "SYMPOZIUM_PARTICIPANT": name,
            "SYMPOZIUM_RUN_DIGEST": digest(data),
            "SYMPOZIUM_WORKSPACE": str(self.base / "workspace"),
            "TMPDIR": str(self.base / "tmp"),
        }
        self._open()

    def _open(self) -> None:
        self.own = self.at((self.name,))
        self.calls, self.verdicts = self.at(layout.calls(self.name)), self.at(layout.verdicts(self.name))
        self.withdrawn, self.replies = self.at(layout.withdrawn(self.name)), self.at(layout.replies(self.name))
        self.started, self.tools = self.at(layout.started(self.name)), self.at(layout.tools(self.name))
        self.in_place = InPlace()
        for directory in (self.replies, self.started, self.tools):
            self.in_place.add(self.ipc / directory.path, directory.path)

    def at(self, place: layout.Place) -> Directory:
        return self.root.open(place)

    def put_call(self, call_id: str, ask: Ask, timeout: float | None = None) -> bytes:
        """Write the Call; its bytes."""
        call = Call(id=call_id, participant=self.name, tool=ask.tool, arguments=ask.arguments, timeout=timeout)
        data = call.encode()
        self.calls.write(f"{call_id}.json", data)
        return data

    def put_verdict(self, call_id: str, data: bytes, *, deny: bool = False) -> None:
        self.verdicts.write(f"{call_id}.json", self.verdict(call_id, data, deny=deny))

    def verdict(self, call_id: str, data: bytes, *, deny: bool = False) -> bytes:
        return Verdict(
            id=call_id,
            participant=self.name,
            decision="deny" if deny else "allow",
            digest=digest(data),
            by="conformance",
            time=utc(time.time()),
        ).encode()

    def remove(self) -> None:
        self.in_place.close()
        shutil.rmtree(self.base, ignore_errors=True)


def run_spec(name: str, tools: tuple[ToolSpec, ...], more: JsonObject) -> RunSpec:
    """A run of one participant. It may offer more tools than those named: every name starts with a letter or _.

    ``more``: further fields of the RunSpec, for a program that takes settings from there. Raises InvalidDocument.
    """
    participant = ParticipantSpec(name=name, role="skill", tools=tools, prefixes=_ANY_NAME, commands=())
    spec = RunSpec(
        run="conformance",
        agent="conformance",
        created=utc(time.time()),
        input="none: no agent runs here",
        model=ModelSpec(provider="scripted", model="none"),
        participants=(participant,),
        policies=(PolicySpec(name="conformance", template="Permissive"),),
    )
    return RunSpec.decode(json.dumps({**json.loads(spec.encode()), **more}).encode()) if more else spec
