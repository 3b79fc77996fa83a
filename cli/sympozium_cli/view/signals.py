"""A view ends when its person has seen enough: Ctrl-C, or the signals that end programs."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def until_signal(stop: Callable[[], None]) -> Iterator[None]:
    """Within a running loop: ``stop`` is called instead of what the signal would do."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
