"""One connection of the command to the bus, and what is said when the bus is not there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final, TypeVar

from sympozium_cli.bus.identity import principal_of
from sympozium_cli.bus.named import Bus
from sympozium_protocol.bus.faults import Away, Forbidden
from sympozium_protocol.bus.link import Link, connected
from sympozium_protocol.bus.subjects import BadSubject, RunKey
from sympozium_protocol.exits import Ended, Reason

T = TypeVar("T")

_HELP: Final = "is its server running, and is this its address?"


def run_of(namespace: str, name: str) -> RunKey:
    """Raises Ended (Usage)."""
    try:
        return RunKey(namespace, name)
    except BadSubject:
        raise Ended(Reason.Usage, f"{name}: on the bus a run has a name, and a namespace, not a directory") from None


@contextlib.asynccontextmanager
async def connection(bus: Bus) -> AsyncIterator[Link]:
    """Raises Away, Ended (BusRefused)."""
    async with connected(bus.settings, principal=principal_of(bus), tell=_pass_over) as link:
        yield link


def _pass_over(_: Exception) -> None:
    """Whoever uses the connection is told that it is lost: a terminal is no log."""


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Do it now, or say why the bus does not let us. Raises Ended."""
    try:
        return asyncio.run(work)
    except Forbidden:
        raise Ended(Reason.BusRefused, "the token does not allow this for this run") from None
    except Away as fault:
        raise Ended(Reason.BusRefused, f"the bus cannot be used: {fault}; {_HELP}") from None
