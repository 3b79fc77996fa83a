"""Progress of calls, on its way to whoever follows: it may be lost, and holds nothing up."""

from __future__ import annotations

import asyncio
from typing import Final

from sympozium_protocol.bus.faults import Away
from sympozium_protocol.bus.line import Line

PIECE: Final = 64 * 1024
WAITING: Final = 256 * 1024
"""Bytes of one call that may wait to be sent; what comes beyond is dropped."""


class ProgressOut:
    """What comes while a message is being sent goes into the next together."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._waiting: dict[str, bytearray] = {}
        self._news = asyncio.Event()

    def add(self, subject: str, data: bytes) -> None:
        waiting = self._waiting.setdefault(subject, bytearray())
        waiting += data[: max(0, WAITING - len(waiting))]
        self._news.set()

    async def send(self) -> None:
        """Until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            for subject in tuple(self._waiting):
                await self.flush(subject)

    async def flush(self, subject: str) -> None:
        """Send what is there of this call, or forget it."""
        data = bytes(self._waiting.pop(subject, b""))
        link = self._line.now
        if link is None:
            return
        try:
            for at in range(0, len(data), PIECE):
                await link.publish(subject, data[at : at + PIECE])
        except Away:
            return
