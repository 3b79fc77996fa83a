"""serve: the loop of a participant. It waits for verdicts and answers each allowed call, side by side."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.failpoints import failpoint
from sympozium_protocol.files import BadFile, CannotWrite, Exists, FileFault, digest
from sympozium_protocol.ids import id_of
from sympozium_protocol.ledger import OverLimit
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.calls import Call, Manifest, Outcome, Part, Reply, Started, TextPart
from sympozium_protocol.messages.spec import ParticipantSpec, RunSpec
from sympozium_protocol.participant.arguments import fault_of_arguments
from sympozium_protocol.participant.context import Context, Former, Handler, Lost, Offer, Recover, Result, Withdrawn
from sympozium_protocol.participant.desk import Desk, decode_call
from sympozium_protocol.process import Settings, end_within, log, open_run
from sympozium_protocol.waiting import Pace, Watch, stay_alive

MAX_IN_FLIGHT = 8
"""Calls answered at a time; a participant stops reading beyond."""

CANCEL_GRACE = 5.0
"""Seconds that a stopped handler has to clean up before its call is answered without it."""


SHUTDOWN_GRACE = 1.5
"""The same when the program is told to end, for which it has 2 s in all."""

END_AT_LATEST = 0.3
"""Seconds after that in which the program is ended whatever still runs."""


async def serve(
    handlers: Iterable[Handler] | Offer,
    *,
    settings: Settings | None = None,
    recover: Recover | None = None,
    on: Elsewhere | None = None,
) -> None:
    """Be a participant until cancelled. Tools that may change meanwhile are given as an ``Offer``.

    ``recover`` is called at the start for every call that a former life left unanswered. ``on``: not in a pod, but
    there (``bus.service.OnBus``), for every run that calls.
    Raises Ended (InvalidRun, ManifestRefused; BusRefused) and FileFault.
    """
    if on is not None:
        return await on.serve(handlers, recover)
    settings = settings or Settings.from_environment()
    root, spec = open_run(settings)
    participant = spec.participant(settings.participant)
    if participant is None:
        raise Ended(Reason.InvalidRun, f"run/run.json: has no participant {settings.participant!r}")
    desk = Desk.open(root, participant.name, settings.ipc, spec.limits.disk)
    offer = handlers if isinstance(handlers, Offer) else Offer(handlers)
    try:
        await Server(spec, participant, desk, offer, recover).run()
    except asyncio.CancelledError:
        end_within(END_AT_LATEST)  # a handler that cannot be stopped must not hold up the pod
        raise


class Elsewhere(Protocol):
    """A place outside the pod from which calls come."""

    async def serve(self, handlers: Iterable[Handler] | Offer, recover: Recover | None) -> None:
        """Answer them until cancelled."""
        ...


class Server:
    """One life of a participant in one run. What it does about a call is decided here, wherever calls come from."""

    def __init__(
        self,
        spec: RunSpec,
        participant: ParticipantSpec,
        desk: Desk,
        offer: Offer,
        recover: Recover | None,
        watch: Watch | None = None,
    ) -> None:
        self.spec = spec
        self.participant = participant
        self.desk = desk
        self.offer = offer
        self.recover = recover
        self.waiting: deque[str] = deque()
        self.running: set[str] = set()
        self.former: dict[str, Started] = {}
        self.answered: set[str] = set()
        self.watch = watch or Watch()

    async def run(self) -> None:
        self._take_over()
        self.watch.add(self.desk.verdicts)
        self.watch.add(self.desk.withdrawn, marks=True)
        with contextlib.closing(self.watch):
            await self._live()

    async def answer(self) -> None:
        """Only the answering, of what the desk names: a watch that is told, no manifest, no sign of life."""
        async with asyncio.TaskGroup() as tasks:
            await self._loop(tasks)

    async def _live(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stay_alive(self.desk.own))
            self.offer.wake = self.watch.pulse
            self._publish()
            failpoint("ready")
            await self._loop(tasks)

    def _publish(self) -> None:
        """Say what is offered now. A manifest cannot add a tool that the RunSpec does not know."""
        self.offer.changed = False
        for name in self.offer.handlers:
            if self.participant.tool(name) is None:
                raise Ended(Reason.ManifestRefused, f"this run gives {self.desk.name} no tool {name}")
        self.desk.publish(Manifest(participant=self.desk.name, tools=self.offer.tools))

    def _take_over(self) -> None:
        """What a former life left: its effects are ended before anything new begins."""
        self.answered = {found for name in self.desk.replies.names() if (found := id_of(name))}
        for started in self.desk.unanswered():
            self.take_over(started)

    def take_over(self, started: Started) -> None:
        """Another life started this call and did not answer it."""
        self.former[started.id] = started
        if self.recover:
            self.recover(Former(started, self._call_of(started.id)))

    def _call_of(self, call_id: str) -> Call | None:
        try:
            return decode_call(self.desk.read_call(call_id), call_id, self.desk.name)
        except (FileFault, InvalidDocument):
            return None

    async def _loop(self, tasks: asyncio.TaskGroup) -> None:
        pace = Pace(self.watch)
        while True:
            if self.offer.changed:
                self._publish()
            if self._look():
                pace.active()
            while self.waiting and len(self.running) < MAX_IN_FLIGHT:
                call_id = self.waiting.popleft()
                self.running.add(call_id)
                tasks.create_task(self._answer(call_id))
            await pace.wait()

    def _look(self) -> bool:
        """New verdicts. A name that is no id is reported once and passed over."""
        names = self.desk.new_verdicts()
        for name in names:
            call_id = id_of(name)
            if call_id is None:
                log("file refused", path=self.desk.verdicts.at(name), why="is not named <id>.json")
            elif call_id not in self.answered:
                self.waiting.append(call_id)
        return bool(names)

    async def _answer(self, call_id: str) -> None:
        try:
            await self._answer_allowed(call_id)
        except (BadFile, Exists) as fault:
            log("file refused", path=fault.path, why=fault.why)
        except Lost as lost:
            log("call left to another", participant=self.desk.name, call=call_id, why=str(lost))
        finally:
            self.running.discard(call_id)
            self.former.pop(call_id, None)
            self.desk.done(call_id)
            self.watch.pulse()

    async def _answer_allowed(self, call_id: str) -> None:
        verdict = self.desk.read_verdict(call_id)
        if verdict.decision == "deny":
            return
        data = self.desk.read_call(call_id)
        found = digest(data)
        if found != verdict.digest:
            raise BadFile(self.desk.calls.at(f"{call_id}.json"), "was changed after its verdict")
        unwanted = call_id not in self.former and self.desk.is_withdrawn(call_id)
        if unwanted and not self.desk.answers_all:
            return
        result = await self._result(call_id, data, found)
        await self.desk.reply(result)

    async def _result(self, call_id: str, data: bytes, found: str) -> Reply:
        try:
            call = decode_call(data, call_id, self.desk.name)
        except InvalidDocument as fault:
            return _reply(call_id, found, "error", f"The call could not be read: {fault.why}.")
        tool = self.participant.tool(call.tool)
        handler = self.offer.handlers.get(call.tool)
        if tool is None or handler is None:
            names = ", ".join(sorted(self.offer.handlers)) or "none"
            return _reply(call_id, found, "error", f"There is no tool {call.tool}; there are: {names}.")
        former = self.former.get(call_id)
        if former is not None and tool.effect == "write":
            return _reply(
                call_id,
                found,
                "interrupted",
                f"{call.tool} had been started when {self.desk.name} was interrupted. It may have taken effect in "
                "whole, in part or not at all, and was not started again: look before doing it again.",
            )
        if wrong := _wrong_arguments(call, handler):
            return _reply(call_id, found, "error", wrong)
        timeout = call.timeout or tool.timeout
        context = Context(call, found, self.spec, self.desk, timeout=timeout, again=former is not None)
        return await self._handle(handler, context)

    async def _handle(self, handler: Handler, context: Context) -> Reply:
        """Run the handler to its end, its timeout, or its withdrawal."""
        task = asyncio.ensure_future(_call(handler, context))
        try:
            stopped = await self._watch_over(task, context)
        except asyncio.CancelledError:
            # the program ends: the call stays started and unanswered, for the next life to judge
            await _stop(task, SHUTDOWN_GRACE)
            raise
        if stopped is None:
            return self._reply_of(task, context)
        await _stop(task, CANCEL_GRACE)
        if task.done() and not task.cancelled() and task.exception() is None and stopped == "timeout":
            return self._reply_of(task, context)  # it ended by itself just in time
        words = {
            "timeout": f"{context.call.tool} did not end within {context.timeout:g} s and was stopped.",
            "cancelled": f"{context.call.tool} was stopped, because it was no longer wanted.",
        }
        return _reply(context.call.id, context.digest, stopped, words[stopped], context)

    async def _watch_over(self, task: asyncio.Future[Result], context: Context) -> Outcome | None:
        """None when it ended by itself; else why it has to be stopped."""
        ends = time.monotonic() + context.timeout
        task.add_done_callback(lambda _: self.watch.pulse())
        pace = Pace(self.watch)
        while not task.done():
            left = ends - time.monotonic()
            if left <= 0:
                return "timeout"
            if context.started and self.desk.is_withdrawn(context.call.id):
                return "cancelled"
            await pace.wait(left)
        return None

    def _reply_of(self, task: asyncio.Future[Result], context: Context) -> Reply:
        """What the handler made of it. Raises CannotWrite."""
        tool = context.call.tool
        try:
            return _reply_with(task.result(), context)
        except Withdrawn:
            return _reply(context.call.id, context.digest, "cancelled", f"{tool} was withdrawn before it began.")
        except Lost:
            raise
        except OverLimit as fault:
            return _reply(context.call.id, context.digest, "error", f"{tool} failed: it {fault.why}.", context)
        except CannotWrite:
            raise
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  around a tool call: its faults are answers
            log("tool failed", tool=tool, call=context.call.id, error=f"{type(error).__name__}: {error}")
            return _reply(context.call.id, context.digest, "error", f"{tool} failed inside {self.desk.name}.")


def _wrong_arguments(call: Call, handler: Handler) -> str | None:
    """In words for the model: why the handler cannot be given these arguments."""
    try:
        if handler.fault:
            wrong = handler.fault(call.arguments)
        else:
            wrong = fault_of_arguments(call.arguments, handler.tool.parameters)
    except ValueError as fault:
        log("tool refused", tool=call.tool, error=str(fault))
        return f"{call.tool} cannot be called: its parameters are not described by a valid JSON Schema."
    return f"The arguments of {call.tool} are not valid: {wrong}." if wrong else None


def _reply_with(result: Result, context: Context) -> Reply:
    return Reply(
        id=context.call.id,
        digest=context.digest,
        outcome=result.outcome,
        content=result.content,
        details=result.details,
        completion=result.completion,
        failure=result.failure,
    )


async def _call(handler: Handler, context: Context) -> Result:
    if not handler.starts_itself:
        await context.start()
    result = await handler.answer(context.call, context)
    failpoint("effect")
    return result


async def _stop(task: asyncio.Future[Result], grace: float) -> None:
    task.cancel()
    await asyncio.wait([task], timeout=grace)
    if task.done() and not task.cancelled():
        with contextlib.suppress(Exception):  # it was told to stop; how it did so does not matter
            task.exception()


def _reply(call_id: str, found: str, outcome: Outcome, words: str, context: Context | None = None) -> Reply:
    content: tuple[Part, ...] = (TextPart(text=words), *(context.partial if context else ()))
    details = context.details if context else {}
    return Reply(id=call_id, digest=found, outcome=outcome, content=content, details=details)
