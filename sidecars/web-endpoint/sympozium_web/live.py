"""What goes on in a run, read from its transcript while it lasts: for progress, never for the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from sympozium_protocol import layout
from sympozium_protocol.files import FileFault, open_root
from sympozium_protocol.listing import Numbered
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.transcript import AssistantMessage, ToolMessage, decode_message

LOOK_EVERY: Final = 0.1
"""Seconds: nobody's work waits for this."""


async def steps(directory: Path) -> AsyncGenerator[str, None]:
    """One line for each thing that the agent does, until cancelled. What cannot be read is passed over."""
    while not (directory / "ipc" / "run" / "run.json").exists():
        await asyncio.sleep(LOOK_EVERY)
    try:
        with open_root(directory / "ipc") as ipc, ipc.open(layout.TRANSCRIPT) as transcript:
            numbered = Numbered(transcript)
            while True:
                while (found := numbered.next()) is not None:
                    for line in lines_of(found[1]):
                        yield line
                await asyncio.sleep(LOOK_EVERY)
    except FileFault:
        return


def lines_of(data: bytes) -> list[str]:
    """A message of the transcript in words. Pure."""
    try:
        message = decode_message(data)
    except InvalidDocument:
        return []
    match message:
        case AssistantMessage(tool_calls=calls):
            return [f"calls {call.name}" for call in calls]
        case ToolMessage(tool=tool, outcome=outcome):
            return [f"{tool}: {outcome}"]
        case _:
            return []
