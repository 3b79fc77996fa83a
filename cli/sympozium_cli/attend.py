"""A person's side of one run: start it, show it, pass on what he says, and tell how it ended."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
from dataclasses import dataclass

from sympozium_cli.bus.named import Bus
from sympozium_cli.launch.platform import Held, Platform, Starter
from sympozium_cli.launch.session import BRIDGE, Ending, Launch, Session, last_words
from sympozium_cli.outcome import Outcome, outcome_of
from sympozium_cli.person import Mouth, whoami
from sympozium_cli.place import namespace_option
from sympozium_cli.rundir import ENDED_FILE, RunDirectory
from sympozium_cli.terminal import Terminal, one_screen, print_answer, print_json, visible
from sympozium_cli.view.ask import Approve, answerer_of
from sympozium_cli.view.events import Events
from sympozium_cli.view.live import Live
from sympozium_cli.view.present import Presenter
from sympozium_protocol import clock
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import Directory, FileFault
from sympozium_protocol.messages.result import RunResult
from sympozium_protocol.messages.spec import RunSpec
from sympozium_protocol.process import reason_for

CANCEL_WITHIN = 30.0
"""Seconds that an agent has to cancel cleanly: its own grace for calls is 5."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How this person wants to see and answer this run. ``approve`` is the effective one."""

    approve: Approve
    output: str
    quiet: bool
    bus: Bus | None = None
    """The one that the run is on: it can be answered from there."""


def attend(
    held: Held,
    spec: RunSpec,
    platform: Platform,
    wishes: Wishes,
    terminal: Terminal,
    *,
    resumed: bool = False,
) -> int:
    """Be there for one run from start to end; the exit code."""
    gc.freeze()  # what the imports made stays
    gc.enable()
    run = held.run
    optional = frozenset(participant.name for participant in spec.participants if not participant.required)
    launch = Launch(run, platform.programs, spec.model.participant, optional)
    _head(run, platform, terminal)
    presenter = Presenter(terminal)
    attendance = _Attendance(launch, spec, wishes, presenter, resumed=resumed)
    try:
        ending = asyncio.run(attendance.run(platform, held))
    except OSError as error:
        ending = Ending(
            Reason.InternalError, f"{error.filename or 'launcher'}: {(error.strerror or str(error)).lower()}"
        )
    except (FileFault, Ended) as fault:
        ending = Ending(*reason_for(fault))
    with run.open_ipc() as ipc:
        outcome = outcome_of(ipc, spec.run, ending)
    _keep(run, outcome)
    _tell(run, spec, outcome, wishes, presenter)
    return int(outcome.reason)


def _head(run: RunDirectory, platform: Platform, terminal: Terminal) -> None:
    terminal.line(terminal.style(f"run {visible(run.name)}", "bold"))
    names = ", ".join(found.name for found in platform.not_enforced)
    if names:
        terminal.line(terminal.style(f"not enforced for {platform.name}: {names}", "dim"))


class _Attendance:
    """The event loop's part: session, view and signals."""

    def __init__(self, launch: Launch, spec: RunSpec, wishes: Wishes, presenter: Presenter, *, resumed: bool) -> None:
        self._launch = launch
        self._spec = spec
        self._wishes = wishes
        self._presenter = presenter
        self._terminal = presenter.terminal
        self._resumed = resumed
        self._interrupts = 0

    async def run(self, platform: Platform, held: Held) -> Ending:
        """Raises OSError, FileFault, Ended."""
        with self._launch.run.open_ipc() as ipc:
            async with platform.starter(held) as starter:
                return await self._attend(ipc, starter)

    async def _attend(self, ipc: Directory, starter: Starter) -> Ending:
        self._mouth = Mouth(ipc, whoami())
        self._session = Session(self._launch, starter, self._say)
        events = Events(ipc, (p.name for p in self._spec.participants), self._spec.model.participant)
        self._live = live = self._view(events)
        self._listen()
        session = asyncio.create_task(self._session.run())
        view = asyncio.create_task(live.follow())
        try:
            await asyncio.wait([session, view], return_when=asyncio.FIRST_COMPLETED)
            if not session.done():
                self._view_failed(view)
            return await session
        finally:
            live.over()
            await asyncio.gather(view, return_exceptions=True)

    def _view(self, events: Events) -> Live:
        answerer = answerer_of(self._wishes.approve, self._mouth, self._terminal, self._command)
        live = Live(events, self._presenter, answerer)
        if self._resumed:
            live.catch_up()
        return live

    def _command(self, verb: str, call: str) -> str:
        """A command about this run: by its name on the bus, if it is on one."""
        bus = self._wishes.bus
        words = (self._launch.run.name, call) if bus is None else (self._spec.run, call)
        return " ".join(("sympozium", verb, *words)) + (
            f" {bus.words_for_others}{namespace_option(self._spec.namespace)}" if bus else ""
        )

    def _view_failed(self, view: asyncio.Task[None]) -> None:
        """Nobody sees the run and nobody can be asked any more: suspend it, and say why."""
        error = view.exception()
        found = error if isinstance(error, Ended) else Ended(Reason.InternalError, f"{type(error).__name__}: {error}")
        self._session.end(Ending(found.reason, found.message))

    def _say(self, text: str) -> None:
        self._terminal.line(self._terminal.style(f"! {visible(text)}", "yellow"))

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._suspend)

    def _interrupt(self) -> None:
        self._interrupts += 1
        if self._interrupts > 1:
            self._terminal.always("")  # the terminal has just shown ^C
            self._stop_hard()
            return
        self._live.withdraw()
        self._terminal.always("cancelling; once more to stop at once")
        try:
            self._mouth.cancel("interrupted at the terminal")
        except Ended as fault:
            self._session.end(Ending(fault.reason, fault.message))
        asyncio.get_running_loop().call_later(CANCEL_WITHIN, self._stop_hard)

    def _stop_hard(self) -> None:
        self._session.end(Ending(Reason.Cancelled, "stopped at once", at_once=True))

    def _suspend(self) -> None:
        how = f"sympozium resume {self._launch.run.name}"
        self._session.end(Ending(Reason.Suspended, f"told to stop; go on with: {how}"))


def _keep(run: RunDirectory, outcome: Outcome) -> None:
    """The launcher's own account of the end, for ``runs list``. The run is over even if it cannot be written."""
    value = {"reason": outcome.reason.name, "message": outcome.message}
    try:
        with run.open() as directory:
            directory.replace(ENDED_FILE, json.dumps(value).encode() + b"\n")
    except (FileFault, Ended):
        return


def _tell(run: RunDirectory, spec: RunSpec, outcome: Outcome, wishes: Wishes, presenter: Presenter) -> None:
    terminal = presenter.terminal
    if outcome.reason is not Reason.Completed:
        said = f"{outcome.reason.name}: {visible(outcome.message)}" if outcome.message else outcome.reason.name
        terminal.always(terminal.style(f"error: {said}", "red"))
    if outcome.reason is Reason.Timeout and (said := last_words(run.log_of(spec.model.participant))):
        terminal.always(f"what the model gateway said last: {visible(said)}")
    if outcome.reason is Reason.NotDurable and (said := last_words(run.log_of(BRIDGE))):
        terminal.always(f"what the gate said last: {visible(said)}")
        terminal.always(f"go on with: sympozium resume {visible(run.name)}")
    usage = outcome.result.usage if outcome.result else None
    if usage:
        calls = f"{_counted(usage.model_calls, 'model call')}, {_counted(usage.tool_calls, 'tool call')}"
        terminal.line(terminal.style(f"{calls}, {usage.input_tokens} + {usage.output_tokens} tokens", "dim"))
    phase = "Suspended" if outcome.reason is Reason.Suspended else outcome.reason.phase
    terminal.line(f"{phase}; the run is kept in {visible(str(run.path))}")
    if wishes.output == "json":
        print_json(result_value(spec, outcome))
    elif outcome.answer is not None and not _on_the_same_screen(outcome.answer, wishes, presenter):
        print_answer(outcome.answer)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _on_the_same_screen(answer: str, wishes: Wishes, presenter: Presenter) -> bool:
    """Has a person just read it, where it would be printed again?"""
    return not wishes.quiet and presenter.last_turn == answer and one_screen()


def result_value(spec: RunSpec, outcome: Outcome) -> object:
    """The RunResult as JSON, with the whole answer in it; one of our own making where the agent left none."""
    result = outcome.result or RunResult(
        run=spec.run,
        phase=outcome.reason.phase,  # type: ignore[arg-type]
        reason=outcome.reason.name,
        message=outcome.message,
        start_time=spec.created,
        completion_time=clock.utc(max(clock.seconds(spec.created), _now())),
    )
    value = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    return value if outcome.answer is None else {**value, "output": outcome.answer}


def _now() -> float:
    import time

    return time.time()
