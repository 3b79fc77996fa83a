"""One command from start to end: nothing runs before ``started`` is written, nothing is left after it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sympozium_protocol.participant import Context, Result
from sympozium_skill.capture import Capture
from sympozium_skill.children import Children
from sympozium_skill.group import Group
from sympozium_skill.proc import MARK, boot_id

TERM_GRACE: Final = 1.0
"""Seconds between TERM and KILL: a sidecar has two in all when its pod ends."""
PROGRESS_EVERY: Final = 0.1
"""Seconds: a person's eye is no faster, and a command that ends sooner need not be shown at all."""
PIECE: Final = 64 * 1024
PIECES_LEFT: Final = 64
"""Pieces still read after the end: more than a pipe holds, so that a writer that lives on cannot hold us."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to start: a program's path, its arguments, its environment, an open working directory."""

    program: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    directory: int
    stdin: bytes = b""


async def run_command(command: Command, context: Context, children: Children, mark: str, limit: float | None) -> Result:
    """Run it to its end, at most ``limit`` seconds if any. Raises Withdrawn before it began, and CancelledError
    after it is stopped, with what it wrote in ``context.partial``."""
    group = children.take_group(mark)
    try:
        await context.start(process_group=group.pid, process_start=group.start, boot_id=boot_id() or None)
        running = _Running(command, context, children, group, mark)
    except OSError as error:
        await children.end(group)
        return Result.error(f"{command.argv[0]} cannot be started: {(error.strerror or str(error)).lower()}")
    except BaseException:
        children.end_now(group)
        raise
    return await running.to_the_end(limit)


class _Running:
    """A command that was started."""

    def __init__(self, command: Command, context: Context, children: Children, group: Group, mark: str) -> None:
        self.context = context
        self.children = children
        self.group = group
        self.over = False
        """Is nothing of it left? From then on the group may be another call's."""
        self.capture = Capture()
        self.unsent = bytearray()
        self.timer: asyncio.TimerHandle | None = None
        self.loop = asyncio.get_running_loop()
        self.began = time.monotonic()
        self.pipe, self.process = _spawn(command, group, mark)
        self.exited = children.ended(self.process.pid)
        self.loop.add_reader(self.pipe, self._read)

    async def to_the_end(self, limit: float | None) -> Result:
        try:
            done, _ = await asyncio.wait([self.exited], timeout=limit)
            if not done:
                await self._stop()
            await self._end()
            return self._result(None if done else limit)
        except asyncio.CancelledError:
            await self._stop()
            await self._end()
            self._leave_partial()
            raise
        finally:
            self._close()

    async def _end(self) -> None:
        await self.children.end(self.group)
        self.over = True

    async def _stop(self) -> None:
        """TERM, a moment, KILL."""
        self.group.signal(signal.SIGTERM)
        await asyncio.wait([self.exited], timeout=TERM_GRACE)
        if not self.exited.done():
            self.group.signal(signal.SIGKILL)
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)  # it may have left its group
            await asyncio.wait([self.exited], timeout=TERM_GRACE)

    def _read(self) -> None:
        try:
            data = os.read(self.pipe, PIECE)
        except BlockingIOError:
            return
        if not data:
            self.loop.remove_reader(self.pipe)
            return
        self._take(data)

    def _take(self, data: bytes) -> None:
        self.capture.add(data)
        self.unsent += data[: max(0, PIECE - len(self.unsent))]
        if self.timer is None:
            self.timer = self.loop.call_later(PROGRESS_EVERY, self._send)

    def _send(self) -> None:
        self.timer = None
        self.context.progress(bytes(self.unsent))
        self.unsent.clear()

    def _drain(self) -> None:
        self.loop.remove_reader(self.pipe)
        with suppress(BlockingIOError):
            for _ in range(PIECES_LEFT):
                data = os.read(self.pipe, PIECE)
                if not data:
                    return
                self.capture.add(data)

    def _result(self, stopped_after: float | None) -> Result:
        self._drain()
        details = self._details()
        if stopped_after is not None:
            note = f"[stopped: it did not end within {stopped_after:g} s]"
            return Result("error", self.capture.parts(self.context, note), {**details, "stopped": True})
        code = self.exited.result()
        note = _note(code, empty=self.capture.size == 0)
        return Result("ok" if code == 0 else "error", self.capture.parts(self.context, note), details)

    def _leave_partial(self) -> None:
        self._drain()
        self.context.partial.extend(self.capture.parts(self.context))
        self.context.details = self._details()

    def _details(self) -> dict[str, object]:
        code = self.exited.result() if self.exited.done() else None
        shown = None if code is None else code if code >= 0 else 128 - code  # as a shell tells it
        seconds = round(time.monotonic() - self.began, 4)
        return {"exitCode": shown, "duration": seconds, "outputBytes": self.capture.size}

    def _close(self) -> None:
        if not self.over:
            self.children.end_now(self.group)
        if self.timer is not None:
            self.timer.cancel()
        self.loop.remove_reader(self.pipe)
        os.close(self.pipe)
        self.capture.close()
        self.process.returncode = 0  # it was waited for elsewhere


def _spawn(command: Command, group: Group, mark: str) -> tuple[int, subprocess.Popen[bytes]]:
    """The reading end of its output, and the process, in the group. Raises OSError."""
    pipe, inside = os.pipe()
    stdin = _stdin(command.stdin)
    try:
        os.set_blocking(pipe, False)
        process = subprocess.Popen(
            command.argv,
            executable=command.program,
            env={**command.environment, MARK: mark},
            cwd=f"/proc/self/fd/{command.directory}",
            stdin=stdin,
            stdout=inside,
            stderr=inside,
            process_group=group.pid,
        )
    except BaseException:
        os.close(pipe)
        raise
    finally:
        os.close(inside)
        os.close(stdin)
    return pipe, process


def _stdin(data: bytes) -> int:
    if not data:
        return os.open("/dev/null", os.O_RDONLY)
    fd = os.memfd_create("stdin")
    with open(fd, "wb", closefd=False) as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _note(code: int, *, empty: bool) -> str:
    if code == 0:
        return "(no output)" if empty else ""
    if code < 0:
        name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
        return f"[ended by {name}{', no output' if empty else ''}]"
    return f"[exit code {code}{', no output' if empty else ''}]"
