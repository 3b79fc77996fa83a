"""A stdio server as a process: what it reads, writes and says, each within bounds; and its end.

Needs nothing of the mcp package, so that servers start while that is still being imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final

from sympozium_mcp.access import Access
from sympozium_mcp.window import Window
from sympozium_protocol.process import log

CHUNK: Final = 1 << 16

MAX_MESSAGE: Final = 8 << 20
"""Bytes of one message from a server: an image of 6 MB in base64. More is held against it, as it fills our memory."""

SAID_LINES: Final = 50
SAID_EVERY: Final = 10.0
"""At most so many lines of a server's standard error in so many seconds go into the log."""
SAID_WIDTH: Final = 500
"""Characters of such a line."""

GRACE: Final = 2.0
"""Seconds that a server has to end after its input was closed, and again after SIGTERM."""
HURRIED_GRACE: Final = 0.4
"""The same when the program ends itself, for which it has 2 s in all."""

LAST_WORDS_WITHIN: Final = 0.1
"""Seconds for the last words and the exit code, once the output has ended."""

_LOOK_EVERY: Final = 0.01
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None)


class TooLong(Exception):
    """The server wrote a line of more than MAX_MESSAGE bytes."""


class ServerProcess:
    """One life of a stdio server, leader of a process group of its own."""

    def __init__(self, access: Access, process: asyncio.subprocess.Process, redact: Callable[[str], str]) -> None:
        self._name = access.server.name
        self._process = process
        self._redact = redact
        self._last: deque[str] = deque(maxlen=1)
        self._saying = asyncio.create_task(self._say())

    @classmethod
    async def spawn(cls, access: Access, redact: Callable[[str], str]) -> ServerProcess:
        """Start it. Raises OSError and ValueError (a zero byte in the command).

        It starts where we do, which is never the workspace: the agent could put programs and modules there
        that npx, Python and others prefer to those that are meant, and they would have the server's secrets.
        """
        process = await asyncio.create_subprocess_exec(
            *access.server.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=CHUNK,
            env=dict(access.env),
            start_new_session=True,
            preexec_fn=_die_with_bridge,
        )
        return cls(access, process, redact)

    async def lines(self) -> AsyncIterator[bytes]:
        """What it writes to its standard output, until that ends. Raises TooLong."""
        assert self._process.stdout is not None
        held = bytearray()
        while chunk := await self._process.stdout.read(CHUNK):
            *ends, rest = chunk.split(b"\n")
            for end in ends:
                held += end
                yield bytes(held)
                held.clear()
            held += rest
            if len(held) > MAX_MESSAGE:
                raise TooLong

    async def write(self, data: bytes) -> None:
        """Returns when most of it was taken. Raises OSError when the server reads no more."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    async def stop(self, *, hurried: bool = False) -> None:
        """Close its input, then SIGTERM, then SIGKILL to its process group; returns when it is gone."""
        grace = HURRIED_GRACE if hurried else GRACE
        try:
            assert self._process.stdin is not None
            self._process.stdin.close()
            if not await self._gone(grace):
                self._signal(signal.SIGTERM)
                await self._gone(grace)
        finally:
            self._signal(signal.SIGKILL)  # what it started may outlive it
            await self._gone(grace)
            self._saying.cancel()
            transport = getattr(self._process, "_transport", None)
            if transport is not None:  # a descendant that left the group may hold the pipes for ever
                transport.close()

    @property
    def ended(self) -> bool:
        """Is it over? Known when it has settled."""
        return self._process.returncode is not None

    def end_in_words(self) -> str:
        """How it ended, and the last that it said: no secret in it."""
        code = self._process.returncode
        if code is None:
            how = "it closed its output"
        elif code < 0:
            how = f"it was killed by signal {-code}"
        else:
            how = f"it ended with code {code}"
        return f"{how}: {self._last[0]}" if self._last else how

    async def settle(self) -> None:
        """Give the last words and the exit code a moment to arrive after the output has ended."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_WITHIN):
                await asyncio.wait([self._saying])
        await self._gone(LAST_WORDS_WITHIN)

    async def _gone(self, within: float) -> bool:
        """Not ``wait()``: that also waits for the pipes, which a descendant may hold."""
        ends = time.monotonic() + within
        while self._process.returncode is None:
            if time.monotonic() >= ends:
                return False
            await asyncio.sleep(_LOOK_EVERY)
        return True

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    async def _say(self) -> None:
        """Its standard error becomes log lines, so many and no more; a flood is read and counted."""
        assert self._process.stderr is not None
        window = Window(SAID_LINES, SAID_EVERY)
        async for line in _lines(self._process.stderr):
            text = self._redact(line.decode(errors="replace"))[:SAID_WIDTH].strip()
            if not text:
                continue
            self._last.append(text)
            if dropped := window.dropped():
                log("server said more", server=self._name, lines=dropped)
            if window.allows():
                log("server says", server=self._name, text=text)
            else:
                await asyncio.sleep(0)  # the others have their turn between two lines of a flood


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Lines, of which only the first part is kept when they are long."""
    held = bytearray()
    while chunk := await stream.read(CHUNK):
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            held += end[:CHUNK]
            yield bytes(held)
            held.clear()
        held += rest[: CHUNK - len(held)] if len(held) < CHUNK else b""
    if held:
        yield bytes(held)


def _die_with_bridge() -> None:
    """prctl(2): a bridge that is killed leaves no server behind that ignores the end of its input."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
