"""``sympozium logs``: a run's messages on standard output, up to now or to its end."""

from __future__ import annotations

import asyncio
import sys

from sympozium_cli.place import Place
from sympozium_cli.terminal import Terminal, standard_error, visible
from sympozium_cli.view.events import Events
from sympozium_cli.view.live import Live
from sympozium_cli.view.present import Presenter
from sympozium_cli.view.records import show_end, show_head, show_text
from sympozium_cli.view.signals import until_signal
from sympozium_cli.view.source import Source, opened
from sympozium_cli.view.wait import Elsewhere
from sympozium_protocol.process import cancelled, read_run


def logs(name: str, place: Place, *, follow: bool) -> None:
    """Raises Ended."""
    if place.cluster:
        from sympozium_cli.cluster.beginning import to_be_read

        if not to_be_read(name, place.cluster, Terminal(sys.stdout), follow=follow):
            return
    with opened(name, place) as source:
        if follow and source.lives():
            asyncio.run(_Following(source).run())
        else:
            show_text(source)


class _Following:
    """One run, on standard output, until its end or until nobody wants to see more of it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._enough = asyncio.Event()
        self._terminal = Terminal(sys.stdout, gone=self._enough.set)

    async def run(self) -> None:
        """Raises Ended."""
        spec = read_run(self._source.ipc)
        show_head(self._source, spec, self._terminal)
        names = (participant.name for participant in spec.participants)
        live = Live(
            Events(self._source.ipc, names, spec.model.participant),
            Presenter(self._terminal, whole=True),
            Elsewhere(self._terminal, self._source.command),
        )
        with until_signal(self._enough.set):
            live.recount()
            ended = await self._to_the_end(live)
        if ended:
            show_end(self._source, spec.run, self._terminal)

    async def _to_the_end(self, live: Live) -> bool:
        """False: stopped before it."""
        end = asyncio.ensure_future(self._source.until_end(_tell, self._terminal.interactive))
        view = asyncio.create_task(live.follow())
        enough = asyncio.create_task(self._enough.wait())
        try:
            await asyncio.wait([end, view, enough], return_when=asyncio.FIRST_COMPLETED)
            if view.done():
                view.result()
            if end.done():
                end.result()
            return end.done()
        finally:
            live.over()
            enough.cancel()
            await asyncio.gather(cancelled(end), enough, view, return_exceptions=True)


def _tell(text: str) -> None:
    standard_error().line(f"! {visible(text)}")
