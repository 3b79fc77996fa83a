"""What every native tool is: a description for the model, and a function that answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sympozium_protocol.messages.base import JsonObject
from sympozium_protocol.messages.calls import Tool
from sympozium_protocol.messages.spec import RunSpec
from sympozium_protocol.participant.context import Result
from sympozium_protocol.process import Settings


def _ipc() -> Path:
    return Settings.from_environment().ipc


@dataclass(frozen=True, slots=True)
class NativeContext:
    """What a native tool may know of the run.

    ``workspace`` is the directory that the model calls /workspace. ``read_blob`` gives the blob of a
    digest, or None. Nothing is written below ``ipc``, wherever that directory happens to be.
    """

    workspace: Path
    spec: RunSpec
    read_blob: Callable[[str], bytes | None]
    ipc: Path = field(default_factory=_ipc)


class NativeFunction(Protocol):
    def __call__(self, arguments: JsonObject, env: NativeContext, /) -> Awaitable[Result]: ...


@dataclass(frozen=True, slots=True)
class Native:
    """A tool and what answers it. The arguments have been checked against ``tool.parameters``."""

    tool: Tool
    run: NativeFunction
