"""Where a run is read from, and what other commands about it are to be given: this machine, or the bus."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

from sympozium_cli.place import ON_CLUSTER, Place, on_bus
from sympozium_cli.rundir import RunDirectory, find
from sympozium_protocol.exits import Reason
from sympozium_protocol.files import Directory
from sympozium_protocol.process import read_run

LOOK_EVERY = 0.2
"""Seconds between two looks whether a run's programs are still there."""

Until = Callable[[Callable[[str], None], bool], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Source:
    """A run that can be read."""

    name: str
    options: str
    """Words that a command about this run needs beside its name: empty, or with a leading blank."""
    ipc: Directory
    state: Callable[[], tuple[str, str]]
    """Phase and reason, as of now."""
    lives: Callable[[], bool]
    """Can it still go on by itself, as far as is known?"""
    until_end: Until
    """Waits for its end. Takes where to tell of hindrances, and whether progress is wanted. Raises Ended."""

    def command(self, verb: str, call: str = "") -> str:
        """A command about this run, to be shown to a person."""
        return _command(self.name, self.options, verb, call)


def _command(name: str, options: str, verb: str, call: str) -> str:
    return " ".join(filter(None, ("sympozium", verb, name, call))) + options


def _put_off(name: str, options: str, ipc: Directory) -> str:
    from sympozium_cli.cluster.ending import put_off
    from sympozium_cli.talking import open_calls

    return put_off(open_calls(ipc), partial(_command, name, options))


@contextlib.contextmanager
def opened(name: str, place: Place) -> Iterator[Source]:
    """The run that RUN names, wherever it is. Raises Ended (RunNotFound, BusRefused, …)."""
    with on_bus(name, place) as there:
        if there is None:
            run = find(name, ON_CLUSTER)
            with run.open_ipc() as ipc:
                yield here(run, ipc)
            return
        from sympozium_cli.bus.copy import copied

        put_off = partial(_put_off, name, there.options) if place.cluster else None
        with copied(there.bus, there.run, there.patience, put_off) as copy:
            yield Source(
                name=name,
                options=there.options,
                ipc=copy.ipc,
                state=lambda: _state(copy.ipc),
                lives=lambda: not copy.ended,
                until_end=copy.follow,
            )


def here(run: RunDirectory, ipc: Directory) -> Source:
    from sympozium_cli.view.records import state_of

    async def until_end(_: Callable[[str], None], __: bool) -> None:
        import asyncio

        while run.live():
            await asyncio.sleep(LOOK_EVERY)

    return Source(run.name, "", ipc, lambda: state_of(run), run.live, until_end)


def _state(ipc: Directory) -> tuple[str, str]:
    """Of a run whose programs are elsewhere: what its files say."""
    from sympozium_cli.outcome import Unreadable, read_result
    from sympozium_cli.talking import open_calls

    try:
        result = read_result(ipc, read_run(ipc).run)
    except Unreadable:
        return "Failed", Reason.ResultUnreadable.name
    if result:
        return result.phase, result.reason
    return ("Waiting", "") if open_calls(ipc) else ("Unfinished", "")
