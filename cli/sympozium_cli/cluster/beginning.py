"""The time before a run of a cluster has begun: what it waits for, and that it ended before it ever did."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sympozium_cli.cluster.connecting import at_once
from sympozium_cli.cluster.ending import begun, state_of
from sympozium_cli.cluster.following import over, states
from sympozium_cli.cluster.objects import found_run
from sympozium_cli.cluster.there import There
from sympozium_cli.terminal import Terminal, standard_error, visible
from sympozium_cli.view.signals import until_signal
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.client import Client

UNSEEN = "nobody has looked at it yet; does the controller run?"


def to_be_read(name: str, there: There, terminal: Terminal, *, follow: bool) -> bool:
    """Has the run said anything that can be read? Waits for that with ``follow``, until somebody wants to see no more.

    False: how it ended has been told on ``terminal``, or nobody wants to wait. Raises Ended (RunNotFound) without
    ``follow``, saying why it has not begun.
    """
    run = at_once(there, lambda api: _awaited(api, name) if follow else found_run(api, name, api.login.namespace))
    if run is None:
        return False
    if begun(run):
        return True
    if not over(run):
        raise not_begun(run, name, there)
    terminal.line(terminal.style(f"run {visible(name)}", "bold"))
    terminal.line(terminal.style(visible(state_of(run)), "bold"))
    return False


def not_begun(run: KubeObject, name: str, there: There) -> Ended:
    """For whoever wants to read it, or to speak to it. Pure."""
    if over(run):
        return Ended(Reason.RunFinished, f"{name}: has ended ({state_of(run)})")
    how = f"sympozium logs {name} -f {there.words(run['metadata']['namespace'])}"
    return Ended(Reason.RunNotFound, f"{name}: has not begun ({state_of(run) or UNSEEN}); to wait for it: {how}")


async def _awaited(api: Client, name: str) -> KubeObject | None:
    """The run when it has begun, or is over; None when a signal came first."""
    terminal, enough = standard_error(), asyncio.Event()

    def tell(text: str) -> None:
        terminal.line(terminal.style(f"! {visible(text)}", "yellow"))

    def show(text: str) -> None:
        terminal.line(terminal.style(visible(text), "dim"))

    with until_signal(enough.set):
        looking = asyncio.create_task(_begun(api, name, tell, show))
        left = asyncio.create_task(enough.wait())
        try:
            await asyncio.wait([looking, left], return_when=asyncio.FIRST_COMPLETED)
            return looking.result() if looking.done() else None
        finally:
            looking.cancel()
            left.cancel()
            await asyncio.gather(looking, left, return_exceptions=True)


async def _begun(api: Client, name: str, tell: Callable[[str], None], show: Callable[[str], None]) -> KubeObject | None:
    """``show``: why it has not begun, whenever that has changed."""
    shown = ""
    async for run in states(api, name, api.login.namespace, tell):
        if begun(run) or over(run):
            return run
        said = state_of(run) or UNSEEN
        if said != shown:
            show(said if shown else f"{name} has not begun: {said}")
            shown = said
    return None
