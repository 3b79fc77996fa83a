"""The program under judgement: it is started, asked, and looked at from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Self, TypeVar

from sympozium_protocol.conformance import descendants
from sympozium_protocol.conformance.asking import Ask, Broken
from sympozium_protocol.conformance.scratch import Scratch
from sympozium_protocol.conformance.sent import Sent
from sympozium_protocol.files import BadFile, digest
from sympozium_protocol.ids import number_of
from sympozium_protocol.messages import InvalidDocument, Manifest

T = TypeVar("T")

LOOK_EVERY: Final = 0.002
LAST_WORDS: Final = 8
"""Lines of the program's output that are worth showing."""


class Subject:
    """The program in its scratch run. ``timeout``: seconds that anything may take to appear."""

    def __init__(self, command: Sequence[str], scratch: Scratch, timeout: float) -> None:
        self.command = command
        self.scratch = scratch
        self.timeout = timeout
        self.asked = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._log = scratch.base / "output"
        self._others = descendants.below(os.getpid())

    def start(self) -> int:
        """Start the program; the number of the manifest that it publishes. Raises Broken."""
        before = self.manifests()
        try:
            with self._log.open("ab") as output:
                self.process = subprocess.Popen(
                    self.command,
                    env={**os.environ, **self.scratch.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    preexec_fn=descendants.die_with_kit,  # noqa: PLW1509  the kit has one thread
                )
        except OSError as error:
            raise Broken("a program that can be started", f"{self.command[0]}: {error.strerror}") from None
        expected = f"a further manifest in {self.scratch.tools.path}/ within {self.timeout:g} s"
        return self.wait(lambda: max(self.manifests() - before, default=None), expected)

    def ensure(self) -> None:
        """Start it, or start it again."""
        if self.process is None or self.process.poll() is not None:
            self.start()

    def kill(self) -> None:
        """SIGKILL to the program and its process group: what it put in groups of their own lives on."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def left(self) -> set[int]:
        """What runs of it, the program included."""
        return descendants.below(os.getpid()) - self._others

    def last_words(self) -> list[str]:
        return self._log.read_text(errors="replace").splitlines()[-LAST_WORDS:] if self._log.exists() else []

    def close(self) -> None:
        """End everything of it and remove the scratch directory."""
        descendants.end(self.left())
        if self.process:
            self.process.wait()
        self.scratch.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def next_id(self) -> str:
        self.asked += 1
        return f"{self.asked}-1"

    def send(self, ask: Ask, timeout: float | None = None) -> Sent:
        """A Call and its verdict."""
        call_id = self.next_id()
        data = self.scratch.put_call(call_id, ask, timeout)
        self.scratch.put_verdict(call_id, data)
        return Sent(self, call_id, digest(data))

    def manifests(self) -> set[int]:
        return {number for name in self.scratch.tools.names() if (number := number_of(name))}

    def manifest(self) -> Manifest:
        """The one that holds. Raises Broken."""
        name = f"{max(self.manifests())}.json"
        path = self.scratch.tools.at(name)
        try:
            found = Manifest.decode(self.scratch.tools.read(name) or b"")
        except (InvalidDocument, BadFile) as fault:
            raise Broken(f"{path} to be a valid Manifest", fault.why) from None
        if found.participant != self.scratch.name:
            raise Broken(f"{path} to name the participant {self.scratch.name}", found.participant)
        return found

    def wait(self, probe: Callable[[], T | None], expected: str, within: float | None = None) -> T:
        """Look until ``probe`` finds something. Raises Broken when the time is over or the program has ended."""
        within = self.timeout if within is None else within
        deadline = time.monotonic() + within
        while True:
            code = self.process.poll() if self.process else None
            if (found := probe()) is not None:
                return found
            if code is not None:
                raise Broken(expected, f"the program ended with code {code}")
            if time.monotonic() > deadline:
                raise Broken(expected, f"nothing of the kind after {within:g} s")
            time.sleep(LOOK_EVERY)
