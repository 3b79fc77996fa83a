"""The live view of one run: shows what happens, and sees to it that every question is answered."""

from __future__ import annotations

from sympozium_cli.view.ask import Answerer
from sympozium_cli.view.events import Asked, Event, Events, Judged, Spoilt
from sympozium_cli.view.order import in_reading_order, unanswered
from sympozium_cli.view.present import Presenter
from sympozium_protocol.files import FileFault
from sympozium_protocol.waiting import Pace, Watch


class Live:
    """Follows one run until it is told that the run is over. Make it within a running event loop."""

    def __init__(self, events: Events, presenter: Presenter, answerer: Answerer) -> None:
        self._events = events
        self._presenter = presenter
        self._answerer = answerer
        self._over = False
        self._watch = Watch()
        self._faults: set[str] = set()

    def over(self) -> None:
        """The run has ended: look once more, and stop."""
        self._over = True
        self._watch.pulse()

    def withdraw(self) -> None:
        """The run is being cancelled: nobody is asked any more."""
        self._answerer.withdraw()

    def catch_up(self) -> None:
        """Pass over what is there already (a resumed run's past), but for questions without an answer."""
        for asked in unanswered(self._events.new()):
            self._take(asked, asks=True)

    def recount(self) -> None:
        """Show what is there already, in the order in which it is read; ask what is still open."""
        past = list(self._events.new())
        for event in in_reading_order(past):
            self._presenter.show(event)
        for asked in unanswered(past):
            self._answerer.ask(asked.question)

    async def follow(self) -> None:
        """Until ``over``. Raises Ended when a person's answer cannot be written."""
        self._events.watch(self._watch)
        pace = Pace(self._watch)
        try:
            while not self._over:
                if self._look():
                    pace.active()
                self._answerer.check()
                if not self._over:
                    await pace.wait()
            self._look()
        finally:
            self._answerer.close()
            self._watch.close()

    def _look(self) -> bool:
        streaming = self._presenter.terminal.interactive and not self._answerer.asking
        events = self._new(streaming=streaming)
        self._answerer.settled([event.verdict for event in events if isinstance(event, Judged)])
        still_open = unanswered(events)
        for event in events:
            self._take(event, asks=event in still_open)
        self._answerer.remind()
        return bool(events)

    def _new(self, *, streaming: bool) -> list[Event]:
        events: list[Event] = []
        try:
            for event in self._events.new(streaming=streaming):
                events.append(event)  # one by one: what came before a fault is not lost
        except FileFault as fault:  # a view that sees nothing must not end the run
            if str(fault) not in self._faults:
                self._faults.add(str(fault))
                events.append(Spoilt(str(fault)))
        return events

    def _take(self, event: Event, *, asks: bool) -> None:
        if not (isinstance(event, Asked) and self._answerer.asking):  # its own prompt will show it whole
            self._presenter.show(event)
        if asks and isinstance(event, Asked):
            self._answerer.ask(event.question)
