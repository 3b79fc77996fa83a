"""A person's side of one run of a cluster: shows it, passes on Ctrl-C, and tells how it ended."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from dataclasses import dataclass
from typing import Final

from sympozium_cli.cluster.beginning import UNSEEN
from sympozium_cli.cluster.bus_pod import no_way, trouble
from sympozium_cli.cluster.ending import begun, outcome_of_status, state_of
from sympozium_cli.cluster.following import over, states
from sympozium_cli.cluster.objects import cancel_run
from sympozium_cli.cluster.reaching import known
from sympozium_cli.cluster.rights import refused
from sympozium_cli.cluster.there import There
from sympozium_cli.cluster.watching import Window
from sympozium_cli.outcome import Outcome
from sympozium_cli.terminal import Terminal, one_screen, print_answer, print_json, visible
from sympozium_cli.view.ask import Approve
from sympozium_protocol.bus.faults import Away, Forbidden
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import KubeError
from sympozium_protocol.kube.labels import SYSTEM_NAMESPACE
from sympozium_protocol.process import cancelled

UNSEEN_AFTER: Final = 3.0
"""Seconds after which a run that nobody has looked at is worth a word: a controller takes less than one."""
LAST_WORDS: Final = 5.0
"""Seconds that what the run said last may take to arrive after its AgentRun has ended."""
LEAVING: Final = 5.0
"""Seconds that a view which is to end may take to tidy up."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How this person wants to see and answer this run."""

    approve: Approve
    output: str
    quiet: bool


class Attendance:
    """One run, until it has ended or nobody wants to see more of it."""

    def __init__(
        self, api: Client, there: There, name: str, namespace: str, wishes: Wishes, terminal: Terminal
    ) -> None:
        self._api = api
        self._there = there
        self._name = name
        self._namespace = namespace
        self._wishes = wishes
        self._terminal = terminal
        self._interrupts = 0
        self._left = asyncio.Event()
        self._why = Ended(Reason.Suspended, "")
        self._view: asyncio.Task[None] | None = None
        self._window = Window(wishes.approve, terminal, self._command, self._say)
        self._shown = ""

    async def run(self) -> int:
        """The exit code. Raises Ended (Suspended: somebody told this command to go; the run goes on), KubeError."""
        gc.freeze()  # what the imports made stays
        gc.enable()
        self._listen()
        end = asyncio.create_task(self._to_the_end())
        unseen = asyncio.get_running_loop().call_later(UNSEEN_AFTER, self._unseen)
        left = asyncio.create_task(self._left.wait())
        try:
            await asyncio.wait([end, left], return_when=asyncio.FIRST_COMPLETED)
            if not end.done():
                raise self._why
            return self._tell(self._outcome(end.result()))
        finally:
            unseen.cancel()
            left.cancel()
            await asyncio.gather(cancelled(end), left, return_exceptions=True)
            await self._close()

    def _outcome(self, run: KubeObject) -> Outcome:
        """As the AgentRun says; where the stream says the same, with the whole answer."""
        found, said = outcome_of_status(run), self._window.outcome
        return said if said and said.result and said.reason is found.reason else found

    async def _to_the_end(self) -> KubeObject:
        last: KubeObject = {}
        async for last in states(self._api, self._name, self._namespace, self._say):
            if not over(last):  # its end is told by itself
                self._show(last)
            self._look(last)
        if self._view:
            await asyncio.wait([self._view], timeout=LAST_WORDS)
        return last

    async def _close(self) -> None:
        """The view ends before the client that it speaks through: told once, it takes back what it has shown of us."""
        if self._view:
            self._view.cancel()
            await asyncio.wait([self._view], timeout=LEAVING)
            await cancelled(self._view)

    def _look(self, run: KubeObject) -> None:
        """Its messages, from when it has a pod on."""
        if self._view is None and begun(run):
            self._view = asyncio.create_task(self._see())

    async def _see(self) -> None:
        try:
            also = "" if self._wishes.approve == "wait" else "approve"
            found = await known(self._api, self._there, self._name, self._namespace, also=also)
            await self._window.show(self._api, found)
        except Forbidden:
            why = refused("", "get", self._namespace, self._name).message
            self._say(f"the run goes on, but is not seen: {why}")
        except Away as fault:
            self._unseen_as(no_way(why) if (why := await trouble(self._api)) else fault)
        except (Ended, KubeError) as fault:
            self._unseen_as(fault)

    def _unseen_as(self, fault: Exception) -> None:
        self._say(f"the run goes on, but what it says is not seen: {fault}")

    def _show(self, run: KubeObject) -> None:
        said = state_of(run)
        if said != self._shown and not self._window.open:
            self._shown = said
            self._terminal.line(self._terminal.style(visible(said), "dim"))
            if (run.get("status") or {}).get("waitingFor") == "Answer":
                self._terminal.line(f"see what it asks with: {self._command('logs')}")

    def _unseen(self) -> None:
        if not self._shown and not self._window.open:
            self._say(f"{UNSEEN} (kubectl get pods -n {SYSTEM_NAMESPACE})")

    def _command(self, verb: str, call: str = "") -> str:
        """A command about this run, to be shown to a person."""
        words = ("sympozium", verb, self._name, call, self._there.words(self._namespace))
        return " ".join(filter(None, words))

    def _say(self, text: str) -> None:
        self._terminal.line(self._terminal.style(f"! {visible(text)}", "yellow"))

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._leave, Reason.Suspended, "the run goes on")

    def _interrupt(self) -> None:
        self._interrupts += 1
        if self._interrupts > 1:
            self._leave(Reason.Cancelled, "the run is being cancelled")
            return
        self._window.cancelling()
        self._terminal.always("cancelling; once more to leave it to the cluster")
        self._cancelling = asyncio.create_task(self._cancel())

    async def _cancel(self) -> None:
        try:
            await cancel_run(self._api, self._name, self._namespace)
        except Ended as fault:
            if fault.reason is not Reason.RunFinished:
                self._leave(fault.reason, fault.message)
        except KubeError as error:
            self._leave(Reason.EngineLost, f"it could not be cancelled: {error.message}")

    def _leave(self, reason: Reason, why: str) -> None:
        how = f"{self._command('logs')} -f"
        if not self._left.is_set():
            self._why = Ended(reason, f"{why}; see it with: {how}")
            self._left.set()

    def _tell(self, outcome: Outcome) -> int:
        terminal, result = self._terminal, outcome.result
        assert result is not None
        if outcome.reason is not Reason.Completed:
            said = ": ".join(filter(None, (result.reason, visible(outcome.message))))
            terminal.always(terminal.style(f"error: {said}", "red"))
        used = result.usage
        calls = f"{used.model_calls} model calls, {used.tool_calls} tool calls"
        terminal.line(terminal.style(f"{calls}, {used.input_tokens} + {used.output_tokens} tokens", "dim"))
        terminal.line(f"{result.phase}; kubectl describe agentrun {visible(self._name)} -n {visible(self._namespace)}")
        if self._wishes.output == "json":
            value = result.model_dump(mode="json", by_alias=True, exclude_none=True)
            print_json(value if outcome.answer is None else {**value, "output": outcome.answer})
        elif outcome.reason is Reason.Completed:
            self._print(outcome)
        sys.stdout.flush()
        return int(outcome.reason)

    def _print(self, outcome: Outcome) -> None:
        assert outcome.result is not None
        if outcome.answer is None:
            how = self._command("logs")
            self._say(f"this is the beginning of {outcome.result.output_size} bytes; the whole: {how}")
        answer = outcome.result.output if outcome.answer is None else outcome.answer
        if self._wishes.quiet or self._window.last_turn != answer or not one_screen():
            print_answer(answer)
