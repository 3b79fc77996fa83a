"""The programs that the launcher started: spawned in sessions of their own, reaped in one place."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sympozium_controller.render.processes import Process


class Child:
    """One life of one program."""

    def __init__(self, name: str, popen: subprocess.Popen[bytes]) -> None:
        self.name = name
        self.pid = popen.pid
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._popen = popen

    @property
    def code(self) -> int | None:
        """Its exit code, negative for the signal that killed it; None while it lives."""
        return self._ended.result() if self._ended.done() else None

    async def end(self, within: float | None = None) -> int | None:
        """Wait for its end, at most ``within`` seconds; its code."""
        # wait, not await: who is cancelled while he waits must not cancel the future for everybody
        await asyncio.wait([self._ended], timeout=within)
        return self.code

    async def signal(self, number: int) -> None:
        """Send a signal, unless it has been reaped (its id may be another's by then)."""
        if self.code is None:
            os.kill(self.pid, number)

    def reaped(self, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        self._popen.returncode = code  # so that subprocess does not wait for it as well
        if not self._ended.done():
            self._ended.set_result(code)


class Children:
    """Spawns and reaps. As subreaper we have children that we did not start, so one place waits for all."""

    def __init__(self) -> None:
        self._alive: dict[int, Child] = {}

    def __enter__(self) -> Children:
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self.reap)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGCHLD)

    @property
    def pids(self) -> frozenset[int]:
        return frozenset(self._alive)

    def spawn(self, process: Process, environment: Mapping[str, str], log: Path, lock: int) -> Child:
        """Start a program; it inherits ``lock``. Raises OSError.

        A session of its own: neither Ctrl-C nor anything that it starts can reach the person's terminal.
        """
        with open(log, "ab", opener=private) as output:
            popen = subprocess.Popen(
                process.argv,
                env=dict(environment),
                cwd=process.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=(lock,),
            )
        child = Child(process.name, popen)
        self._alive[child.pid] = child
        return child

    def reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._alive.pop(pid, None)
            if child:
                child.reaped(status)


def private(path: str, flags: int) -> int:
    """Opens a log that only this user can read, and through no link."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
