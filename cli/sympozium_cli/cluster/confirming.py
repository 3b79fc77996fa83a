"""The one question of commands that change a whole cluster: whether to go on."""

from __future__ import annotations

import asyncio
import sys

from sympozium_cli.terminal import Terminal
from sympozium_protocol.exits import Ended, Reason


async def go_on(terminal: Terminal, otherwise: str) -> None:
    """Asks whoever sits there. Raises Ended (Cancelled) with ``otherwise`` where the answer is not yes."""
    terminal.prompt("Go on? y or n: ")
    if (await asyncio.to_thread(sys.stdin.readline)).strip().lower() not in ("y", "yes"):
        raise Ended(Reason.Cancelled, otherwise)
    terminal.answered()
