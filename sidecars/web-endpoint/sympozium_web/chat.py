"""/v1: models and chat completions, each completion one run."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncGenerator, Mapping

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sympozium_protocol.exits import Reason
from sympozium_web import answers
from sympozium_web.agents import Agent
from sympozium_web.command import Finished
from sympozium_web.conversation import BadRequest, ChatRequest, input_of, parse
from sympozium_web.live import steps
from sympozium_web.outcomes import ONCE, RETRY_AFTER, error, error_of, status_of
from sympozium_web.runs import STOPPING, Busy, Run, Runs, Stopping
from sympozium_web.waiting import unless_gone, until_done

PING_EVERY = 10
"""Seconds between comments that keep a quiet stream open."""


class Chat:
    """The OpenAI-compatible half of the server."""

    def __init__(self, agents: Mapping[str, Agent], runs: Runs, started: int) -> None:
        self._agents = agents
        self._runs = runs
        self._started = started

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/models/{name:path}", self.model, methods=["GET"]),
            Route("/v1/chat/completions", self.complete, methods=["POST"]),
        ]

    async def models(self, request: Request) -> Response:
        return JSONResponse(answers.models(self._agents, self._started))

    async def model(self, request: Request) -> Response:
        name = request.path_params["name"]
        return JSONResponse(answers.model(name, self._started)) if name in self._agents else self._unknown(name)

    async def complete(self, request: Request) -> Response:
        if not request.headers.get("content-type", "").lower().startswith("application/json"):
            return JSONResponse(error("content-type: must be application/json", "invalid_request_error"), 415)
        try:
            asked = parse(await request.body())
            text = input_of(asked.messages)
        except BadRequest as fault:
            return JSONResponse(error(str(fault), "invalid_request_error", param=fault.param or None), 400)
        agent = self._agents.get(asked.model)
        if agent is None:
            return self._unknown(asked.model)
        if (size := agent.excess(text)) > 0:
            why = f"messages: are {size} bytes longer than a run takes"
            return JSONResponse(error(why, "invalid_request_error", code="request_too_large", param="messages"), 413)
        # taken here and not in the stream: who is turned away must be told by the status
        slot = contextlib.AsyncExitStack()
        try:
            run = await slot.enter_async_context(self._runs.started(agent.arguments, text))
        except Busy:
            return _busy()
        except Stopping:
            return JSONResponse(error_of(Reason.Cancelled, STOPPING), status_of(Reason.Cancelled), ONCE)
        if asked.stream:
            return _Stream(slot, self._stream(asked, agent, run), _named(run.directory.name))
        async with slot:
            found = await unless_gone(request, run.ended)
        return self._answer(found, agent)

    def _unknown(self, name: str) -> Response:
        known = ", ".join(self._agents)
        why = f"there is no model {name[:100]!r}; there are: {known}"
        return JSONResponse(error(why, "invalid_request_error", code="model_not_found", param="model"), 404)

    def _answer(self, found: Finished | None, agent: Agent) -> Response:
        if found is None:
            return Response(status_code=499)  # nobody reads it
        if found.answer is None:
            headers = {**ONCE, **_named(found.run)}
            return JSONResponse(error_of(found.reason, found.message), status_of(found.reason), headers)
        return JSONResponse(answers.completion(found, agent.name, int(time.time())), headers=_named(found.run))

    async def _stream(self, asked: ChatRequest, agent: Agent, run: Run) -> AsyncGenerator[ServerSentEvent, None]:
        """Comments while the agent works, then its answer: what it says on the way may not be its answer."""
        async with contextlib.aclosing(until_done(steps(run.directory), run.ended)) as lines:
            async for line in lines:
                yield ServerSentEvent(comment=line)
        found = await run.ended
        if found.answer is None:
            yield ServerSentEvent(json.dumps(error_of(found.reason, found.message)))
            return
        usage = bool(asked.stream_options and asked.stream_options.include_usage)
        for data in answers.chunks(found, agent.name, int(time.time()), with_usage=usage):
            yield ServerSentEvent(data)
        yield ServerSentEvent("[DONE]")


class _Stream(EventSourceResponse):
    """The stream of one run, which has its slot until it is over, even if nobody ever began to read it."""

    def __init__(
        self,
        slot: contextlib.AsyncExitStack,
        events: AsyncGenerator[ServerSentEvent, None],
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(events, ping=PING_EVERY, headers=headers)
        self._slot = slot
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._slot, contextlib.aclosing(self._events):
            await super().__call__(scope, receive, send)


def _named(run_name: str) -> dict[str, str]:
    """Under which name ``sympozium runs show`` knows what was done for this request."""
    return {"x-sympozium-run": run_name}


def _busy() -> Response:
    why = "as many runs as there may be are going on"
    headers = {"retry-after": str(RETRY_AFTER)}
    return JSONResponse(error(why, "rate_limit_error", code="rate_limit_exceeded"), 429, headers)
