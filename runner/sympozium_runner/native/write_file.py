"""write_file: a text file below the workspace or the agent's own /tmp, and nowhere else."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

from sympozium_protocol.messages.base import JsonObject
from sympozium_protocol.messages.calls import Tool
from sympozium_protocol.participant.context import Result
from sympozium_runner.native.base import Native, NativeContext
from sympozium_runner.native.beneath import Beneath, resolve_beneath
from sympozium_runner.native.paths import Refused, explain, locate

LARGEST: Final = 1 << 20
"""Bytes that one call writes: no message of the transcript, which holds the content, can be larger."""

LARGEST_FILE: Final = 64 << 20
"""Bytes that a file may come to have by appending."""

TEMPORARY: Final = "/tmp"  # noqa: S108  private in a container; elsewhere TMPDIR says what is


async def write_file(arguments: JsonObject, env: NativeContext) -> Result:
    """Write it whole or append to it."""
    path, append = str(arguments["path"]), bool(arguments.get("append", False))
    try:
        data = _encoded(str(arguments["content"]))
        size = await asyncio.to_thread(_write, path, data, env, append=append)
    except Refused as fault:
        return Result.error(str(fault))
    except OSError as error:
        return Result.error(explain(path, error))
    verb = "appended to" if append else "written to"
    return Result.text(f"{len(data)} bytes {verb} {path}, which now has {size}.", bytes=len(data), size=size)


def _encoded(content: str) -> bytes:
    try:
        data = content.encode()
    except UnicodeEncodeError:
        raise Refused("The content holds half of a surrogate pair, which is no character.") from None
    if len(data) > LARGEST:
        raise Refused(f"The content has {len(data)} bytes; one call writes at most {LARGEST}. Append in parts.")
    return data


def _write(path: str, data: bytes, env: NativeContext, *, append: bool) -> int:
    """The size of the file afterwards."""
    temporary = Path(os.environ.get("TMPDIR") or TEMPORARY)
    place = resolve_beneath(locate(path, env.workspace), (env.workspace, temporary), env.ipc)
    if place is None:
        raise Refused(f"{path}: is not below /workspace, nor below a /tmp of its own: files are written there alone.")
    with Beneath.open(place, path) as target:
        if not append:
            target.replace(data)
            return len(data)
        return target.append(data, LARGEST_FILE)


WRITE_FILE = Native(
    Tool(
        name="write_file",
        description=(
            "Write a text file (UTF-8) below /workspace or /tmp, replacing what it held, or append to it. Missing "
            f"directories are made. At most {LARGEST} bytes a call. Relative paths start from /workspace."
        ),
        parameters={
            "type": "object",
            "properties": {
                "path": {"type": "string", "minLength": 1, "description": "the file"},
                "content": {"type": "string", "description": "what is written"},
                "append": {"type": "boolean", "description": "add to the end instead of replacing", "default": False},
            },
            "required": ["path", "content"],
            "additionalProperties": False,
        },
    ),
    write_file,
)
