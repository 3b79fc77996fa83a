"""Who sits at this terminal, and what he says to a run: on this machine, files in console/ under the next number."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from sympozium_protocol import clock
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import Directory, Exists, FileFault
from sympozium_protocol.ids import MAX_NUMBER
from sympozium_protocol.layout import CONSOLE_BOX
from sympozium_protocol.messages.console import Answer, Cancel, ConsoleDocument, FollowUp
from sympozium_protocol.process import reason_for


def whoami() -> str:
    """The login name of the user that this process really is."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


class Voice(ABC):
    """What a person can say to one run. Raises Ended when it cannot be said."""

    def __init__(self, by: str, now: Callable[[], float] = time.time) -> None:
        self._by = by
        self._now = now

    def answer(self, participant: str, call: str, digest: str, *, allow: bool, reason: str = "", by: str = "") -> None:
        decision = "allow" if allow else "deny"
        self._say(
            Answer(
                participant=participant,
                id=call,
                digest=digest,
                decision=decision,  # type: ignore[arg-type]
                reason=reason[:4096],
                by=by or self._by,
                time=self._time(),
            )
        )

    def send(self, text: str) -> None:
        self._say(FollowUp(text=text, by=self._by, time=self._time()))

    def cancel(self, reason: str = "") -> None:
        self._say(Cancel(reason=reason[:4096], by=self._by, time=self._time()))

    def _time(self) -> str:
        return clock.utc(self._now())

    @abstractmethod
    def _say(self, document: ConsoleDocument) -> None: ...


class Mouth(Voice):
    """Writes to one run's console."""

    def __init__(self, ipc: Directory, by: str, now: Callable[[], float] = time.time) -> None:
        super().__init__(by, now)
        self._box = ipc.open(CONSOLE_BOX)

    def _say(self, document: ConsoleDocument) -> None:
        data = document.encode()
        try:
            number = 1
            while number <= MAX_NUMBER:
                # the reader takes numbers in order and without gaps, so the first that is free is the next
                if not self._box.has(f"{number}.json") and self._wrote(number, data):
                    return
                number += 1
        except FileFault as fault:
            raise Ended(*reason_for(fault)) from None
        raise Ended(Reason.StorageFailed, "console: is full")

    def _wrote(self, number: int, data: bytes) -> bool:
        try:
            self._box.write(f"{number}.json", data, durable=True)
        except Exists:  # another terminal was faster
            return False
        return True
