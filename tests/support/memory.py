"""The memory as a program over ipc directories, for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from sympozium_protocol.messages import ParticipantSpec, Reply, ToolSpec
from tests.support.ipc import make_ipc, run_spec, send, wait_manifest, wait_reply

PROGRAM = Path(sys.executable).parent / "sympozium-memory"
EFFECTS = {"memory_search": "read", "memory_store": "idempotent", "memory_list": "read"}


def memory_ipc(path: Path, *, run: str = "r1", **changes: Any) -> dict[str, str]:
    """An ipc directory of a run with a memory; the environment of its program."""
    tools = tuple(ToolSpec(name=name, effect=effect) for name, effect in EFFECTS.items())  # type: ignore[arg-type]
    participant = ParticipantSpec(name="memory", role="memory", tools=tools)
    return make_ipc(path, run_spec("memory", participants=(participant,), run=run, **changes))


class Served:
    """One memory process and the runs that it serves."""

    def __init__(self, file: Path, *ipcs: Path, **environment: str) -> None:
        self.file = file
        self.ipcs = ipcs
        self.asked = 0
        self.log = ipcs[0].parent / f"{ipcs[0].name}.log"
        options = [word for ipc in ipcs for word in ("--ipc", str(ipc))] if len(ipcs) > 1 else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "--file", file, *options],
                env={
                    **os.environ,
                    "SYMPOZIUM_IPC": str(ipcs[0]),
                    "SYMPOZIUM_PARTICIPANT": "memory",
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def ready(self, number: int = 1) -> Served:
        for ipc in self.ipcs:
            wait_manifest(ipc, "memory", number)
        return self

    def ask(self, tool: str, *, of: int = 0, call: str = "", **arguments: object) -> Reply:
        """One call, answered."""
        self.asked += 1
        call_id = call or f"{self.asked}-1"
        send(self.ipcs[of], call_id, tool, "memory", **arguments)
        return wait_reply(self.ipcs[of], call_id, "memory")

    def text(self, tool: str, **arguments: object) -> str:
        """What the model reads of a call that ended well."""
        reply = self.ask(tool, **arguments)  # type: ignore[arg-type]
        assert reply.outcome == "ok", reply
        return reply.content[0].text  # type: ignore[union-attr]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
