"""A participant in Python: two tools. ``serve`` does the rest of the contract."""

import asyncio

from sympozium_protocol.messages import Call, Tool
from sympozium_protocol.participant import Context, Handler, Result, serve
from sympozium_protocol.process import run

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
SECONDS = {"type": "object", "properties": {"seconds": {"type": "number", "minimum": 0}}, "required": ["seconds"]}


async def word_count(call: Call, context: Context) -> Result:
    return Result.text(str(len(call.arguments["text"].split())))


async def wait(call: Call, context: Context) -> Result:
    context.progress("waiting\n")
    await asyncio.sleep(call.arguments["seconds"])
    return Result.text("done")


HANDLERS = (
    Handler(Tool(name="word_count", description="Count the words of a text.", parameters=TEXT), word_count),
    Handler(Tool(name="wait", description="Wait so many seconds.", parameters=SECONDS), wait),
)

if __name__ == "__main__":
    raise SystemExit(run(lambda: serve(HANDLERS)))
