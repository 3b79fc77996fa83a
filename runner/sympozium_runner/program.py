"""The agent as a program: opens the run, goes on where the transcript ends, writes the result."""

from __future__ import annotations

import asyncio
import os
import time

from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import CannotWrite, FileFault
from sympozium_protocol.ledger import OverLimit
from sympozium_protocol.messages.result import RunResult
from sympozium_protocol.messages.spec import RunSpec
from sympozium_protocol.process import Settings, cause, log, open_run, reason_for, run
from sympozium_protocol.waiting import Watch, stay_alive
from sympozium_runner.calling import Caller
from sympozium_runner.ending import print_answer, read_result, result_of, until_durable, write_result
from sympozium_runner.inbox import Inbox
from sympozium_runner.loop import Agent, stop_reason
from sympozium_runner.meters import ActiveClock, active_before
from sympozium_runner.native import tools
from sympozium_runner.parting import Parting
from sympozium_runner.places import Places
from sympozium_runner.toolbox import Toolbox
from sympozium_runner.transcript import Transcript


def main() -> int:
    """Run the agent to its end; the exit code of its reason."""
    return run(lambda: live(Settings.from_environment()))


async def live(settings: Settings) -> None:
    """One life of the agent, and its termination message. Raises as ``_live`` does."""
    parting = Parting.from_environment(os.environ, settings.run_digest)
    try:
        await _live(settings, parting)
    except BaseException as error:  # whatever it is, who started the container is told, and it goes on
        parting.tell(*cause(error))
        raise
    parting.tell(Reason.Completed, "")


async def _live(settings: Settings, parting: Parting) -> None:
    """Raises Ended for every end but a final answer; FileFault; cancelled by SIGTERM."""
    root, spec = open_run(settings)
    names = tuple(participant.name for participant in spec.participants)
    places = Places.open(root, names, settings.ipc, spec.limits.disk, time.monotonic())
    watch = Watch()
    async with asyncio.TaskGroup() as tasks:
        alive = tasks.create_task(stay_alive(places.own))
        result = read_result(places) or await _work(spec, places, watch, settings)
        parting.result = result
        await _leave(places, watch, result)
        alive.cancel()


async def _work(spec: RunSpec, places: Places, watch: Watch, settings: Settings) -> RunResult:
    """From the transcript to a written result. Raises Ended (Suspended) when the run is to go on later."""
    transcript = Transcript(places.transcript, places.ledger)
    agent = make_agent(spec, places, transcript, watch, settings)
    answer, end = "", None
    try:
        answer = await agent.run()
    except* (Ended, FileFault) as group:
        end = _end_of(group)
    if end is not None and end.reason is Reason.Suspended:
        raise end
    result = result_of(spec, transcript.messages, agent.meters, answer=answer, end=end, now=time.time())
    write_result(places, result, answer)
    return result


def make_agent(spec: RunSpec, places: Places, transcript: Transcript, watch: Watch, settings: Settings) -> Agent:
    """Put the parts together."""
    watch.add(places.inbox)
    for counter in places.counters.values():
        watch.add(counter.replies)
        watch.add(counter.verdicts)
        watch.add(counter.manifests.directory)
    active = ActiveClock(active_before(transcript.messages))
    inbox = Inbox(places.inbox, transcript.messages)
    patience = spec.approval.patience
    caller = Caller(places, watch, active, spec.limits.calls, patience, lambda: stop_reason(inbox, active, spec))
    toolbox = Toolbox(spec, places, caller, tools(), settings.workspace)
    return Agent(spec, places, transcript, toolbox, caller, inbox, active)


def _end_of(group: BaseExceptionGroup[Ended | FileFault]) -> Ended:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    assert isinstance(first, Ended | FileFault)
    if isinstance(first, OverLimit):
        return Ended(Reason.DiskLimit, str(first))
    if isinstance(first, FileFault) and not isinstance(first, CannotWrite):
        return Ended(Reason.StorageFailed, str(first))
    return Ended(*reason_for(first))


async def _leave(places: Places, watch: Watch, result: RunResult) -> None:
    """The last act: wait until the result is safe, and end with the exit code of its reason."""
    if not await until_durable(places, watch):
        log("not durable", why="the gate did not make the result durable in time")
        raise Ended(Reason.NotDurable, "the gate did not make the result durable in time")
    if os.environ.get("SYMPOZIUM_ANSWER") == "stdout":
        print_answer(places, result)
    if result.reason != Reason.Completed.name:
        raise Ended(Reason[result.reason], result.message)
