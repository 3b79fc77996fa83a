"""The gateway's one tool: a completion, asked for within the budget and the time, retried where that helps."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sympozium_model.budget import Budget, estimate
from sympozium_model.conversation import BadConversation, Conversation, Turn, ranges_of
from sympozium_model.provider import Failed, Provider, Request
from sympozium_protocol.messages import Call, Completion, TextPart, Usage
from sympozium_protocol.participant import Context, Lost, Result
from sympozium_protocol.process import log

ATTEMPTS = 6
FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0


@dataclass(slots=True)
class Gateway:
    """``provider`` waits for the SDK to be loaded, which begins when the program starts.

    ``look``: takes into the budget what other copies of this gateway spent and reserved; None: there are none.
    """

    conversation: Conversation
    budget: Budget
    provider: asyncio.Future[Provider]
    sizes: dict[int, int]
    jitter: Callable[[], float] = random.random
    look: Callable[[], Awaitable[None]] | None = None

    async def complete(self, call: Call, context: Context) -> Result:
        """Answer one ``complete`` call."""
        try:
            turns = self.conversation.view(ranges_of(call.arguments))
        except BadConversation as fault:
            return _failure(Failed("invalid_request", str(fault)))
        if self.look:
            await self.look()
        try:
            expected = estimate(sum(self._size(turn) for turn in turns))
            cap = self.budget.cap(_wanted(call, context), expected)
        except Failed as fault:
            return _failure(fault)
        try:
            await context.start(reservation=self.budget.reserve(call.id, expected, cap))
        except Lost:
            self.budget.forget(call.id)
            raise
        if self.look:
            # another copy may have reserved what is left at the same moment: now each sees the other's
            await self.look()
            if self.budget.exceeded:
                self.budget.settle(call.id, None)
                return _failure(Failed("budget", "the run's budget is reserved by calls that are still open"))
        return await self._ask(call.id, Request(turns, cap, context.progress), context)

    async def _ask(self, call_id: str, request: Request, context: Context) -> Result:
        try:
            found = await self._attempts(request, time.monotonic() + context.timeout)
        except Failed as fault:
            self.budget.settle(call_id, None)
            return _failure(fault)
        usage = found.usage
        if not (usage.input_tokens or usage.output_tokens) and not self.budget.free:
            usage = Usage(
                input_tokens=estimate(sum(map(self._size, request.turns))), output_tokens=estimate(len(found.text))
            )
        settled = self.budget.settle(call_id, usage)
        return Result(completion=found.model_copy(update={"usage": settled}))

    async def _attempts(self, request: Request, ends: float) -> Completion:
        provider = await asyncio.shield(self.provider)
        for attempt in range(ATTEMPTS):
            try:
                return await provider.complete(request)
            except Failed as fault:
                delay = max(fault.after, min(LONGEST_DELAY, FIRST_DELAY * 2**attempt) * (0.5 + self.jitter() / 2))
                if not fault.again or attempt + 1 == ATTEMPTS or time.monotonic() + delay >= ends:
                    raise
                news = f"{fault.words}; attempt {attempt + 2} of {ATTEMPTS} in {delay:.1f} s"
                log("attempt failed", message=news)
                request.say(f"\n[{news}]\n")  # seen live; the completion that comes in the end is without it
                await asyncio.sleep(delay)
        raise AssertionError("the last attempt returns or raises")

    def _size(self, turn: Turn) -> int:
        """Bytes that a message adds to a request; counted once."""
        seq = turn.message.seq
        if seq not in self.sizes:
            completion = turn.completion
            self.sizes[seq] = len((completion or turn.message).model_dump_json())
        return self.sizes[seq]


def _wanted(call: Call, context: Context) -> int:
    """The output cap that was asked for: the smaller of the call's and the RunSpec's; 0 when neither says."""
    stated = call.arguments.get("maxOutputTokens")
    caps = [cap for cap in (stated, context.spec.model.max_output_tokens) if isinstance(cap, int) and cap > 0]
    return min(caps, default=0)


def _failure(fault: Failed) -> Result:
    return Result(outcome="error", content=(TextPart(text=fault.words),), failure=fault.failure)
