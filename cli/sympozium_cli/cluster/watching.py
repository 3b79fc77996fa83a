"""What happens in a run of a cluster, as it happens, and what is said to it: over the bus, beside its AgentRun."""

from __future__ import annotations

import asyncio
import math
import tempfile
from collections.abc import Callable
from pathlib import Path

from sympozium_cli.bus.copy import Copy
from sympozium_cli.bus.identity import name_of
from sympozium_cli.bus.named import Bus
from sympozium_cli.bus.speaking import said_on
from sympozium_cli.cluster.ending import put_off
from sympozium_cli.cluster.reaching import Known, reached_beside
from sympozium_cli.cluster.rights import refused
from sympozium_cli.outcome import Outcome, Unreadable, read_answer, read_result
from sympozium_cli.person import Voice
from sympozium_cli.talking import open_calls
from sympozium_cli.terminal import Terminal
from sympozium_cli.view.ask import Answerer, Approve, answerer_of, has_terminal
from sympozium_cli.view.events import Events
from sympozium_cli.view.live import Live
from sympozium_cli.view.present import Presenter
from sympozium_cli.view.wait import Elsewhere
from sympozium_protocol.bus.faults import Away, Forbidden
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import Directory, open_root
from sympozium_protocol.kube.client import Client
from sympozium_protocol.messages.console import Answer, ConsoleDocument
from sympozium_protocol.process import cancelled


class LoopVoice(Voice):
    """Speaks to one run from within the loop that carries the connection. ``failed``: is told what was not heard."""

    def __init__(self, bus: Bus, found: Known, failed: Callable[[str], None]) -> None:
        super().__init__(name_of(bus))
        self._bus = bus
        self._run = found.run
        self._failed = failed
        self._saying: set[asyncio.Task[None]] = set()

    def answer(self, participant: str, call: str, digest: str, *, allow: bool, reason: str = "", by: str = "") -> None:
        """On the bus nobody speaks under another name than the own: ``by`` is said as the reason."""
        super().answer(participant, call, digest, allow=allow, reason=reason or by)

    def _say(self, document: ConsoleDocument) -> None:
        task = asyncio.create_task(self._stored(document))
        self._saying.add(task)
        task.add_done_callback(self._saying.discard)

    async def _stored(self, document: ConsoleDocument) -> None:
        try:
            await said_on(self._bus, self._run, document)
        except Forbidden:
            verb = "approve" if isinstance(document, Answer) else "send"
            self._failed(refused("", verb, self._run.namespace, self._run.run).message)
        except (Away, Ended) as fault:
            self._failed(f"this was not heard: {fault}")


class Window:
    """One run of a cluster on a terminal. ``command``: a verb and a call, to the command that says it to this run."""

    def __init__(
        self, approve: Approve, terminal: Terminal, command: Callable[[str, str], str], tell: Callable[[str], None]
    ) -> None:
        # here nobody asked at a terminal does not mean that nobody can be asked: others of the cluster may answer
        self._approve: Approve = "wait" if approve == "ask" and not has_terminal() else approve
        self._presenter = Presenter(terminal)
        self._terminal = terminal
        self._command = command
        self._tell = tell
        self._live: Live | None = None
        self._asks = True
        self.open = False
        """Is the run seen?"""
        self.outcome: Outcome | None = None
        """What its stream says of its end."""

    async def show(self, api: Client, found: Known) -> None:
        """To the run's end. Raises Ended, Away, Forbidden, KubeError when it cannot be seen, or no longer."""
        with tempfile.TemporaryDirectory(prefix="sympozium-") as folder, open_root(Path(folder)) as ipc:
            async with reached_beside(api, found) as bus:
                copy = Copy(bus, found.run, ipc, lambda: put_off(open_calls(ipc), self._command))
                await copy.read_within(math.inf)
                self.open = True
                answerer = self._answerer(LoopVoice(bus, found, self._tell), found.refused)
                await self._follow(copy, answerer)
            self.outcome = _outcome(ipc, found.run.run)

    @property
    def last_turn(self) -> str:
        """What the agent said last, as far as it was shown."""
        return self._presenter.last_turn

    def cancelling(self) -> None:
        """The run is to end: nobody is asked any more."""
        self._asks = False
        if self._live:
            self._live.withdraw()

    def _answerer(self, voice: Voice, refused: str) -> Answerer:
        """``refused``: why the person at this terminal may not answer."""
        if refused:
            return Elsewhere(self._terminal, self._command, refused)
        return answerer_of(self._approve, voice, self._terminal, self._command)

    async def _follow(self, copy: Copy, answerer: Answerer) -> None:
        spec = copy.spec
        events = Events(copy.ipc, (one.name for one in spec.participants), spec.model.participant)
        self._live = live = Live(events, self._presenter, answerer)
        if not self._asks:
            live.withdraw()
        end = asyncio.create_task(copy.follow(self._tell, self._terminal.interactive))
        live.recount()
        view = asyncio.create_task(live.follow())
        try:
            await asyncio.wait([end, view], return_when=asyncio.FIRST_COMPLETED)
            for task in (end, view):
                if task.done():
                    task.result()
        finally:
            live.over()
            await asyncio.gather(cancelled(end), view, return_exceptions=True)


def _outcome(ipc: Directory, run: str) -> Outcome | None:
    try:
        result = read_result(ipc, run)
        if result is None:
            return None
        reason = Reason[result.reason]
        return Outcome(reason, result.message, result, read_answer(ipc, result) if reason is Reason.Completed else None)
    except Unreadable as fault:
        return Outcome(Reason.ResultUnreadable, str(fault))
