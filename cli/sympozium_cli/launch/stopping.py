"""Ending programs: SIGTERM, a bounded time, SIGKILL; and then whatever they left."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Final

from sympozium_cli.launch.orphans import sweep
from sympozium_cli.launch.platform import Life

SWEEP_WITHIN: Final = 5.0
"""Seconds: what multiplies faster than it is killed for so long is said, not waited for."""
SWEEP_EVERY: Final = 0.005


async def stop(child: Life, grace: float) -> None:
    """Returns when the child has ended. ``grace`` 0: SIGKILL at once."""
    if child.code is not None:
        return
    if grace:
        await child.signal(signal.SIGTERM)
        await child.end(grace)
    await child.signal(signal.SIGKILL)
    await child.end()


async def sweep_all(programs: Callable[[], frozenset[int]]) -> int:
    """End what is abandoned, and what that leaves, and so on; how many are still there."""
    ends = time.monotonic() + SWEEP_WITHIN
    while (left := sweep(programs())) and time.monotonic() < ends:
        await asyncio.sleep(SWEEP_EVERY)
    return left
