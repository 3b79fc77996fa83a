"""What the tests of the native tools share: a run, a context, a call."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

from sympozium_protocol.messages import ModelSpec, NativeSpec, PolicySpec, RunSpec, TextPart
from sympozium_protocol.participant import Result
from sympozium_protocol.participant.arguments import fault_of_arguments
from sympozium_runner.native import NativeContext, tools


def spec(*, private: bool = False) -> RunSpec:
    return RunSpec(
        run="r1",
        agent="a",
        created="2026-11-21T00:00:00Z",
        input="x",
        model=ModelSpec(provider="scripted", model="scripted"),
        native=NativeSpec(fetch_private=private),
        policies=(PolicySpec(name="p", template="Permissive"),),
    )


def context(workspace: Path, *blobs: bytes, private: bool = False, ipc: Path = Path("/nowhere/ipc")) -> NativeContext:
    kept = {hashlib.sha256(blob).hexdigest(): blob for blob in blobs}
    return NativeContext(workspace=workspace, spec=spec(private=private), read_blob=kept.get, ipc=ipc)


def call(name: str, env: NativeContext, **arguments: Any) -> Result:
    native = tools()[name]
    assert fault_of_arguments(arguments, native.tool.parameters) is None
    return asyncio.run(native.run(arguments, env))  # type: ignore[arg-type]


def text(result: Result) -> str:
    return "".join(part.text for part in result.content if isinstance(part, TextPart))
