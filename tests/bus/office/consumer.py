"""A reference consumer of channel messages and schedules: ``python consumer.py SERVICE DIRECTORY`` answers on the bus
that the environment names, and keeps what it was asked for as files. What serves them for real keeps to the same."""

from __future__ import annotations

import sys
from pathlib import Path

from sympozium_protocol.bus.service import OnBus
from sympozium_protocol.messages import Call
from sympozium_protocol.participant import Context, Handler, Result, serve
from sympozium_protocol.process import run
from sympozium_protocol.wellknown import WELL_KNOWN


def keep(directory: Path, call: Call, context: Context) -> Result:
    """Each call is a file, and doing it twice is an error that a test sees."""
    with (directory / f"{context.spec.run}-{call.id}.json").open("x") as file:
        file.write(call.model_dump_json())
    return Result.text(f"{call.tool} done")


async def consume(service: str, directory: Path) -> None:
    async def answer(call: Call, context: Context) -> Result:
        return keep(directory, call, context)

    handlers = [Handler(tool, answer) for tool in WELL_KNOWN.values()]
    await serve(handlers, on=OnBus.named(service, grace=5.0))


if __name__ == "__main__":
    raise SystemExit(run(lambda: consume(sys.argv[1], Path(sys.argv[2]))))
