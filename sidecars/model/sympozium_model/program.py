"""The gateway as a program: loads its one SDK beside everything else, takes over the account, serves."""

from __future__ import annotations

import asyncio
import gc

from sympozium_model.budget import Budget, prices_of
from sympozium_model.conversation import Conversation
from sympozium_model.gateway import Gateway
from sympozium_model.provider import Provider, make_provider
from sympozium_protocol import layout
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import BadFile, Directory
from sympozium_protocol.ids import id_of
from sympozium_protocol.messages import InvalidDocument, ModelSpec, Reply, RunSpec, Started, Tool
from sympozium_protocol.participant import Handler, serve
from sympozium_protocol.process import Settings, open_run

COMPLETE = Tool(
    name="complete",
    description="The model's next turn over these messages of the transcript.",
    parameters={
        "type": "object",
        "properties": {
            "ranges": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2, "maxItems": 2},
            },
            "maxOutputTokens": {"type": "integer", "minimum": 1},
        },
        "required": ["ranges"],
    },
)


UNKNOWN = "0" * 64
"""In place of a digest that cannot be read any more; no bytes have it."""


async def serve_model(settings: Settings) -> None:
    """Be the model gateway until cancelled. Raises Ended (MissingKey, InvalidRun, …), FileFault."""
    root, spec = open_run(settings)
    async with asyncio.TaskGroup() as tasks:
        provider = tasks.create_task(_load(spec.model))
        gateway = Gateway(
            conversation=Conversation.open(root, settings.participant),
            budget=_account(root, spec, settings.participant),
            provider=provider,
            sizes={},
        )
        await serve([Handler(COMPLETE, gateway.complete, starts_itself=True)], settings=settings)


async def _load(model: ModelSpec) -> Provider:
    """In a thread: an SDK takes half a second to import, in which the manifest is already there."""
    if model.provider == "scripted":
        return make_provider(model)
    gc.disable()  # thousands of objects are made that all stay
    try:
        return await asyncio.to_thread(make_provider, model)
    finally:
        gc.enable()
        gc.freeze()


def _account(root: Directory, spec: RunSpec, participant: str) -> Budget:
    free = spec.model.provider in ("scripted", "replay")
    budget = Budget(spec.limits, None if free else prices_of(spec.model), free=free)
    with root.open(layout.started(participant)) as started, root.open(layout.replies(participant)) as replies:
        try:
            budget.restore(
                [_mark(started, name, spec) for name in started.names()],
                [Reply.decode(replies.read(name) or b"") for name in replies.names() if id_of(name)],
            )
        except (BadFile, InvalidDocument) as fault:
            # without the account the limits could not be kept
            raise Ended(Reason.StorageFailed, f"{participant}: what was spent cannot be read: {fault}") from None
    return budget


def _mark(started: Directory, name: str, spec: RunSpec) -> Started:
    """One that a crash of the machine left damaged still counts as a call, where nothing else is limited."""
    try:
        return Started.decode(started.read(name) or b"")
    except InvalidDocument:
        if spec.limits.tokens or spec.limits.usd:
            raise
        return Started(id=name, digest=UNKNOWN)
