"""What a former life of this sidecar left running is killed before anything is done again."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import Final

from sympozium_protocol.messages.calls import Started
from sympozium_protocol.process import log
from sympozium_skill.proc import all_pids, boot_id, mark_of, stat_of

WAIT: Final = 1.0
"""Seconds at most until what was killed is gone."""


def end_former(started: Started, mark: str) -> None:
    """Kill the group that ``started`` names, if it is still that group, and whatever bears the call's mark."""
    if started.boot_id != (boot_id() or None):
        return  # nothing outlives its boot
    if started.process_group and _same_leader(started):
        _kill_group(started.process_group)
    until = time.monotonic() + WAIT
    while (left := _marked(mark)) and time.monotonic() < until:
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
    if left:
        log("left running", call=started.id, processes=left)


def _same_leader(started: Started) -> bool:
    """A number is used again some day: only with its start time it names the same process."""
    found = stat_of(started.process_group or 0)
    return found is not None and found.start == started.process_start and found.group == started.process_group


def _kill_group(group: int) -> None:
    with suppress(OSError):
        os.killpg(group, signal.SIGKILL)


def _marked(mark: str) -> list[int]:
    return [pid for pid in all_pids() if pid != os.getpid() and mark_of(pid) == mark]
