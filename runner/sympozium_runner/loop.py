"""The loop: look at the transcript, take the next step, write it down, until the run has ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from sympozium_protocol import clock
from sympozium_protocol.exits import MODEL_FAILURES, Ended, Reason
from sympozium_protocol.ids import model_call_id, tool_call_id
from sympozium_protocol.messages.calls import Call, Completion, Manifest, Reply, TextPart
from sympozium_protocol.messages.spec import ParticipantSpec, RunSpec
from sympozium_protocol.messages.transcript import (
    AssistantMessage,
    InboundMessage,
    Message,
    NoteMessage,
    OfferedTool,
    RecollectionMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolsMessage,
    UserMessage,
)
from sympozium_protocol.unready import unready
from sympozium_protocol.waiting import Pace
from sympozium_runner.calling import Answer, Caller
from sympozium_runner.inbox import Inbox
from sympozium_runner.manifests import offer, read_manifest
from sympozium_runner.meters import ActiveClock, Meters, time_left
from sympozium_runner.places import Places
from sympozium_runner.prompt import system_prompt
from sympozium_runner.steps import (
    AnswerTools,
    AskModel,
    Begin,
    Finish,
    GoOn,
    Recollect,
    Refused,
    next_step,
)
from sympozium_runner.toolbox import ToolAnswer, Toolbox
from sympozium_runner.transcript import Transcript

M = TypeVar("M", bound=Message)

READY_WITHIN = 30.0
"""Seconds that required participants have to publish a manifest."""

ELSEWHERE_WITHIN = 120.0
"""The same for those that no pod of the run brings along: one may be starting, with an image to come and a volume."""

ATTEMPTS = 5
"""Attempts at one completion, each after a crash of the gateway that lost the one before."""

MODEL_TIMEOUT = 600.0
CUT = "Your last turn was cut at the output limit. Go on from where it ended; if you were done, give the whole answer."


class Agent:
    """One life of the agent."""

    def __init__(
        self,
        spec: RunSpec,
        places: Places,
        transcript: Transcript,
        toolbox: Toolbox,
        caller: Caller,
        inbox: Inbox,
        active: ActiveClock,
    ) -> None:
        self.spec = spec
        self.places = places
        self.transcript = transcript
        self.toolbox = toolbox
        self.caller = caller
        self.inbox = inbox
        self.active = active
        self.meters = Meters(transcript.messages)
        self.manifests: dict[str, Manifest] = {}

    def write(self, kind: Callable[..., M], **fields: Any) -> M:
        """Write the next message of the transcript."""
        message = kind(
            seq=self.transcript.next_seq,
            time=clock.utc(time.time()),
            elapsed=round(self.active.elapsed(), 3),
            **fields,
        )
        self.meters.count(message)
        return self.transcript.append(message)

    async def run(self) -> str:
        """The final answer. Raises Ended for every other end."""
        await self._participants_ready()
        while True:
            if (answer := await self.step()) is not None:
                return answer

    async def step(self) -> str | None:
        """One step. The final answer, when it is that."""
        step = next_step(self.transcript.messages, self.spec)
        match step:
            case Begin(seq):
                self._begin(seq)
            case Recollect(number, asked_by):
                await self._recollect(number, asked_by)
            case AnswerTools(calls):
                await self._answer_tools(calls)
            case AskModel(seq):
                self._between_steps()
                await self._ask_model(self.transcript.next_seq)
            case GoOn():
                self.write(NoteMessage, text=CUT)
            case Refused(text):
                raise Ended(Reason.ContentRefused, f"the model refused: {text[:200]}")
            case Finish(answer):
                return None if self._take_inbox() else answer
        return None

    # -- opening ---------------------------------------------------------------------------------

    async def _participants_ready(self) -> None:
        """Wait for the manifests of those that are required. The model shows itself by answering."""
        pace = Pace(self.caller.watch)
        began = time.monotonic()
        while missing := self._missing():
            self._heed_stop()
            within = min(ELSEWHERE_WITHIN if one.placement == "bus" else READY_WITHIN for one in missing)
            left = began + within - time.monotonic()
            if left < 0:
                raise Ended(Reason.ParticipantUnavailable, self._not_ready(missing, within))
            await pace.wait(left)
        self.toolbox.offered = {tool.name: tool for tool in self._offer()}

    def _not_ready(self, missing: Iterable[ParticipantSpec], within: float) -> str:
        said = ((one.name, unready(self.places.counters[one.name].own)) for one in missing)
        words = (f"{name} ({why})" if why else name for name, why in said)
        return f"not ready within {within:g} s: {', '.join(words)}"

    def _missing(self) -> list[ParticipantSpec]:
        self._read_manifests()
        model = self.spec.model.participant
        return [p for p in self.spec.participants if p.required and p.name != model and p.name not in self.manifests]

    def _read_manifests(self) -> bool:
        news = {name: found for name, c in self.places.counters.items() if (found := read_manifest(c)) is not None}
        changed = any(self.manifests.get(name) != manifest for name, manifest in news.items())
        self.manifests.update(news)
        return changed

    def _offer(self) -> tuple[OfferedTool, ...]:
        return offer([native.tool for native in self.toolbox.offered_natives()], self.manifests, self.spec)

    def _begin(self, seq: int) -> None:
        opening: Mapping[int, Callable[[], Message]] = {
            1: lambda: self.write(SystemMessage, text=system_prompt(self.spec, str(self.toolbox.context.workspace))),
            2: lambda: self.write(ToolsMessage, tools=tuple(self.toolbox.offered.values())),
            3: lambda: self.write(UserMessage, text=self.spec.input),
        }
        opening[seq]()

    async def _recollect(self, number: int, asked_by: int) -> None:
        wanted = self.spec.prelude[number]
        participant = self.spec.participant(wanted.participant)
        tool = participant.tool(wanted.tool) if participant else None
        call = Call(
            id=tool_call_id(asked_by, number + 1),
            participant=wanted.participant,
            tool=wanted.tool,
            arguments=wanted.arguments,
            timeout=tool.timeout if tool else None,
        )
        answer = await self.caller.call(call, timeout=tool.timeout if tool else 60.0)
        self._heed_stop()
        self.write(
            RecollectionMessage,
            participant=wanted.participant,
            tool=wanted.tool,
            call=call.id,
            outcome=answer.reply.outcome,
            content=self.toolbox.shorten(answer.reply.content),
        )

    # -- the model -------------------------------------------------------------------------------

    def _between_steps(self) -> None:
        """What may have come meanwhile: limits reached, follow-ups, a changed tool list."""
        self._heed_stop()
        self.meters.check(self.spec.limits, self.active.elapsed())
        self._take_inbox()
        if self._read_manifests():
            tools = {tool.name: tool for tool in self._offer()}
            if tools != self.toolbox.offered:
                self.toolbox.offered = tools
                self.write(ToolsMessage, tools=tuple(tools.values()))

    def _take_inbox(self) -> bool:
        found = self.inbox.take()
        if self.inbox.cancel is not None:
            self._heed_stop()
        for inbound in found:
            self.write(InboundMessage, inbound=inbound.seq, by=inbound.by, text=inbound.text)
        return bool(found)

    async def _ask_model(self, seq: int) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            call_id = model_call_id(seq, attempt)
            answer = await self.caller.call(self._model_call(call_id, seq), timeout=MODEL_TIMEOUT)
            self._heed_stop(answer)
            if answer.reply.outcome != "interrupted":
                return self._take_turn(seq, call_id, answer)
        raise Ended(Reason.ModelUnavailable, f"the model gateway was interrupted {ATTEMPTS} times at this step")

    def _model_call(self, call_id: str, seq: int) -> Call:
        model = self.spec.participant(self.spec.model.participant)
        tool = model.tool("complete") if model else None
        return Call(
            id=call_id,
            participant=self.spec.model.participant,
            tool="complete",
            arguments={"ranges": [[1, seq - 1]]},
            timeout=tool.timeout if tool else MODEL_TIMEOUT,
        )

    def _take_turn(self, seq: int, call_id: str, answer: Answer) -> None:
        completion = turn_of(answer)
        calls = tuple(
            ToolCall(id=tool_call_id(seq, n), name=asked.name, arguments=asked.arguments, malformed=asked.malformed)
            for n, asked in enumerate(completion.tool_calls, 1)
        )
        self.write(
            AssistantMessage,
            call=call_id,
            text=completion.text,
            tool_calls=calls,
            finish=completion.finish,
            usage=completion.usage,
        )

    # -- tools -----------------------------------------------------------------------------------

    async def _answer_tools(self, calls: tuple[ToolCall, ...]) -> None:
        """Side by side; their messages are written in the order in which the model asked."""
        room = asyncio.Semaphore(8)

        async def one(call: ToolCall) -> ToolAnswer:
            async with room:
                return await self.toolbox.answer(call)

        async with asyncio.TaskGroup() as tasks:
            running = [(call, tasks.create_task(one(call))) for call in calls]
            for call, task in running:
                self._write_answer(call, await task)
        self._heed_stop()

    def _write_answer(self, call: ToolCall, answer: ToolAnswer) -> None:
        self.write(
            ToolMessage,
            call=call.id,
            tool=call.name,
            participant=answer.participant,
            outcome=answer.outcome,
            content=answer.content,
            details=answer.details,
            reply=answer.reply,
        )

    # -- stopping ----------------------------------------------------------------------

    def _heed_stop(self, answer: Answer | None = None) -> None:
        """Raises Ended when the run must end now (but what was answered meanwhile is kept)."""
        if answer is not None and answer.reply.outcome == "ok":
            return
        if cause := self.caller.stop():
            raise cause


def turn_of(answer: Answer) -> Completion:
    """The completion in a model's answer. Raises Ended with the typed reason when there is none."""
    reply = answer.reply
    if reply.outcome == "ok" and reply.completion is not None:
        return reply.completion
    words = "; ".join(part.text for part in reply.content if isinstance(part, TextPart)) or reply.outcome
    raise Ended(reason_of_reply(reply), words)


def reason_of_reply(reply: Reply) -> Reason:
    """Why a run ends with this answer of the model gateway."""
    if reply.failure is not None:
        return MODEL_FAILURES[reply.failure]
    if reply.outcome == "denied":
        return Reason.PolicyDenied
    return Reason.ModelAnswerInvalid if reply.outcome in ("ok", "error") else Reason.ModelUnavailable


def stop_reason(inbox: Inbox, active: ActiveClock, spec: RunSpec) -> Ended | None:
    """Must the run end now? Looked at whenever the agent waits."""
    inbox.look()
    if inbox.cancel is not None:
        words = f": {inbox.cancel.text}" if inbox.cancel.text else ""
        return Ended(Reason.Cancelled, f"cancelled by {inbox.cancel.by}{words}")
    if time_left(spec.limits, active.elapsed()) == 0.0:
        return Ended(Reason.Timeout, f"the run's limit of {spec.limits.timeout:g} s is reached")
    return None
