"""The termination message: how a run ended, told where whoever started the container looks, when it is over."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages.result import RunResult
from sympozium_protocol.messages.termination import LARGEST, Termination
from sympozium_protocol.process import log


@dataclass(slots=True)
class Parting:
    """``path``: the file, empty: nobody wants one. ``limit``: bytes. ``result``: once there is one."""

    path: str
    limit: int
    run_digest: str
    result: RunResult | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], run_digest: str) -> Self:
        """Raises Ended (Usage) for a size that is no number."""
        size = environment.get("SYMPOZIUM_TERMINATION_BYTES", str(LARGEST))
        if not size.isascii() or not size.isdecimal():
            raise Ended(Reason.Usage, f"SYMPOZIUM_TERMINATION_BYTES: {size!r} is no number of bytes")
        return cls(environment.get("SYMPOZIUM_TERMINATION_MESSAGE", ""), int(size), run_digest)

    def tell(self, reason: Reason, message: str) -> None:
        """Write it; a reason that is not the result's (it is not durable) counts. What cannot be written is logged."""
        if not self.path:
            return
        try:
            write(self.path, self._told(reason, message).within(self.limit))
        except (OSError, ValueError) as fault:
            log("no termination message", why=str(fault))

    def _told(self, reason: Reason, message: str) -> Termination:
        if self.result is None:
            return Termination(run_digest=self.run_digest or None, reason=reason.name, message=message)
        told = Termination.of(self.result, self.run_digest)
        if reason.name == told.reason:
            return told
        return told.model_copy(update={"reason": reason.name, "message": message})


def write(path: str, data: bytes) -> None:
    """In place: the file is mounted, so none can be renamed over it. What was there is gone. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
