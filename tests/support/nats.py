"""A real nats-server with JetStream for tests: started on loopback, paused, killed, and started again where it was."""

from __future__ import annotations

import ctypes
import functools
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.support.ports import connects, lasting_port

REQUIRED = "SYMPOZIUM_NATS"
"""Set to ``required``, or CI to anything: a machine without the server fails such a test."""
WITHIN = 30.0
"""Seconds; only a server that hangs takes so long."""
CONFIGURATION = """\
server_name: "test"
listen: "127.0.0.1:{port}"
ports_file_dir: "{folder}"
jetstream {{
  store_dir: "{store}"
  sync_interval: always
  {jetstream}
}}
{more}
"""
ROOM = "max_file_store: 64GB"
"""What streams may claim together. Left to the server it is a share of what is free on the disk when it starts."""
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class CannotStart(Exception):
    """The server ended, or listened nowhere; with the end of its log."""


@functools.cache
def binary() -> str:
    """Path of a nats-server, fetched once where there is none. Skips, or fails where it is required."""
    script = Path(__file__).with_name("nats-server.sh")
    done = subprocess.run(["bash", str(script)], capture_output=True, text=True, timeout=600, check=False)
    if done.returncode == 0:
        return done.stdout.strip()
    why = f"there is no nats-server: {done.stderr.strip() or done.returncode}"
    if os.environ.get(REQUIRED) == "required" or os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class NatsServer:
    """One server in ``folder``, which keeps its port and its store through ``kill`` and ``start``. A context manager.

    ``more`` is text of a nats-server configuration (accounts, authorization, tls, ping_interval, max_payload), and
    ``jetstream`` such text for the jetstream block (max_file_store, max_memory_store). What is acknowledged is on disk.
    ``more`` and ``jetstream`` may be changed between ``stop`` and ``start``.
    """

    def __init__(self, folder: Path, more: str = "", jetstream: str = ROOM, scheme: str = "nats") -> None:
        self.folder = folder
        self.store = folder / "store"
        self.log = folder / "server.log"
        self.more = more
        self.jetstream = jetstream
        self.scheme = scheme
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect; the same for the server's whole life."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        return self._running().pid

    def start(self) -> Self:
        """Start, or start again, and return when it accepts clients. CannotStart when it does not."""
        assert self._process is None, "the server runs already"
        # the kernel ends the server with the thread that started it, and only the main one is there to the end
        assert threading.current_thread() is threading.main_thread(), "start the server in the main thread"
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.port:
            self._start()
        else:
            self._find_port()
        return self

    def pause(self) -> None:
        """Let it answer nothing, with every connection kept (SIGSTOP)."""
        self._running().send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def go_on(self) -> None:
        """After ``pause``: SIGCONT."""
        self._running().send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once (SIGKILL), paused or not. Nothing if it does not run."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Let it end as an operator would (SIGTERM). Nothing if it does not run."""
        if self._process:
            self.go_on()
        self._end(signal.SIGTERM)

    def reload(self) -> None:
        """Let it read ``more`` as it is now (SIGHUP), and return when it has."""
        self._write()
        reloaded = self.log.read_text().count("Reloaded server configuration")
        self._running().send_signal(signal.SIGHUP)
        self._until(lambda: self.log.read_text().count("Reloaded server configuration") > reloaded, "reloaded")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _find_port(self) -> None:
        for attempt in range(5):  # another may take the port between our look and the server's bind
            self.port = lasting_port()
            try:
                return self._start()
            except CannotStart as error:
                if "address already in use" not in str(error) or attempt == 4:
                    self.port = 0
                    raise

    def _write(self) -> None:
        text = CONFIGURATION.format(
            port=self.port, folder=self.folder, store=self.store, jetstream=self.jetstream, more=self.more
        )
        (self.folder / "server.conf").write_text(text)

    def _start(self) -> None:
        self._write()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [binary(), "--config", str(self.folder / "server.conf")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,  # one system call, and the library is loaded already
            )
        ports = self.folder / f"nats-server_{self._process.pid}.ports"  # written when the server accepts clients
        try:
            self._until(lambda: _whole(ports) and connects(self.port), "accepting clients")
        except CannotStart:
            self.kill()
            raise

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        ends = time.monotonic() + WITHIN
        while not holds():
            if self._running().poll() is not None or time.monotonic() > ends:
                raise CannotStart(f"not {what}:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.002)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process, "the server does not run"
        return self._process

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(WITHIN)
        finally:
            process.kill()
            process.wait()
            (self.folder / f"nats-server_{process.pid}.ports").unlink(missing_ok=True)


def _whole(ports: Path) -> bool:
    """Is the ports file there, and written to its end?"""
    try:
        return bool(json.loads(ports.read_text()))
    except (FileNotFoundError, json.JSONDecodeError):
        return False
