"""The gateway as a program: loads its one SDK beside everything else, takes over the account, serves."""

from __future__ import annotations

import asyncio
import gc

from sympozium_model.books import Books
from sympozium_model.conversation import Conversation
from sympozium_model.gateway import Gateway
from sympozium_model.provider import Provider, make_provider
from sympozium_protocol.files import Directory
from sympozium_protocol.messages import ModelSpec, RunSpec, Tool
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


async def serve_model(settings: Settings) -> None:
    """Be the model gateway until cancelled. Raises Ended (MissingKey, InvalidRun, …), FileFault."""
    root, spec = open_run(settings)
    async with asyncio.TaskGroup() as tasks:
        provider = tasks.create_task(load(spec.model))
        gateway, _ = gateway_of(root, spec, settings.participant, provider)
        await serve([Handler(COMPLETE, gateway.complete, starts_itself=True)], settings=settings)


def gateway_of(
    root: Directory, spec: RunSpec, participant: str, provider: asyncio.Future[Provider]
) -> tuple[Gateway, Books]:
    """The gateway of one run, with its account as the files below ``root`` have it. Raises Ended (StorageFailed)."""
    books = Books.open(root, spec, participant)
    books.look()
    conversation = Conversation.open(root, participant)
    return Gateway(conversation=conversation, budget=books.budget, provider=provider, sizes={}), books


async def load(model: ModelSpec) -> Provider:
    """In a thread: an SDK takes half a second to import, in which the manifest is already there."""
    if model.provider == "scripted":
        return make_provider(model)
    gc.disable()  # thousands of objects are made that all stay
    try:
        return await asyncio.to_thread(make_provider, model)
    finally:
        gc.enable()
        gc.freeze()
