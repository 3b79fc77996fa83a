"""A participant for tests, run as a program: one tool for each way in which a tool can behave or misbehave.

What it does in the world it counts in the file EFFECTS, one line for each effect.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

from sympozium_protocol.files import BadFile
from sympozium_protocol.messages import Call, Tool
from sympozium_protocol.participant import Context, Handler, Offer, Result, serve
from sympozium_protocol.process import run

ANYTHING: dict[str, Any] = {"type": "object"}
STRICT: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


def effect(call: Call) -> None:
    path = os.environ.get("EFFECTS")
    if path:
        with Path(path).open("a") as file:
            file.write(f"{call.id}\n")


async def echo(call: Call, context: Context) -> Result:
    effect(call)
    return Result.text(call.arguments["text"])


async def gate(call: Call, context: Context) -> Result:
    """Ends when the file ``until`` is there."""
    effect(call)
    while not Path(call.arguments["until"]).exists():
        await asyncio.sleep(0.005)
    return Result.text("through")


async def stubborn(call: Call, context: Context) -> Result:
    """Does not let itself be cancelled."""
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue


async def blocking(call: Call, context: Context) -> Result:
    """Sits in a thread that nothing can stop."""
    await asyncio.to_thread(time.sleep, 3600)
    return Result.text("never")


async def partial(call: Call, context: Context) -> Result:
    context.progress("half")
    context.details["done"] = 1
    await asyncio.sleep(3600)
    return Result.text("never")


async def raises(call: Call, context: Context) -> Result:
    raise RuntimeError("/secret/path")


async def bad_file(call: Call, context: Context) -> Result:
    raise BadFile("elsewhere/1.json", "is a FIFO")


async def cancels_itself(call: Call, context: Context) -> Result:
    raise asyncio.CancelledError


async def huge(call: Call, context: Context) -> Result:
    return Result.text("x" * (2 << 20))


async def surrogate(call: Call, context: Context) -> Result:
    return Result.text("a\udc80b")


async def no_number(call: Call, context: Context) -> Result:
    return Result.text("x", value=float("nan"))


async def thing(call: Call, context: Context) -> Result:
    return Result.text("x", value=object())


async def nothing(call: Call, context: Context) -> Result:
    return None  # type: ignore[return-value]


async def hoards(call: Call, context: Context) -> Result:
    return Result(content=(context.blob(b"x" * call.arguments["size"]),))


async def grow(call: Call, context: Context) -> Result:
    """Offers one more tool from now on."""
    OFFER.replace((*OFFER.handlers.values(), Handler(Tool(name=call.arguments["name"], parameters=ANYTHING), echo)))
    return Result.text("grown")


ANSWERS = (
    grow,
    gate,
    stubborn,
    blocking,
    partial,
    raises,
    bad_file,
    cancels_itself,
    huge,
    surrogate,
    no_number,
    thing,
    nothing,
    hoards,
)
HANDLERS = (
    Handler(Tool(name="echo", parameters=STRICT), echo),
    Handler(Tool(name="bad_schema", parameters={"type": "nonsense"}), echo),
    *(Handler(Tool(name=answer.__name__, parameters=ANYTHING), answer) for answer in ANSWERS),
)
NAMES = tuple(handler.tool.name for handler in HANDLERS)
OFFER = Offer(HANDLERS)


async def main() -> None:
    """In a pod; or, with a name, as that service on the bus."""
    if len(sys.argv) == 1:
        return await serve(OFFER)
    from sympozium_protocol.bus.service import OnBus

    await serve(OFFER, on=OnBus.named(sys.argv[1], grace=float(os.environ.get("GRACE", "5"))))


if __name__ == "__main__":
    raise SystemExit(run(main))
