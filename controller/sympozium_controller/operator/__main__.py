"""The command ``sympozium-controller``."""

from __future__ import annotations

import gc

gc.disable()

import asyncio  # noqa: E402
import sys  # noqa: E402

from sympozium_controller.operator.settings import HELP, from_environment  # noqa: E402
from sympozium_protocol.exits import Reason  # noqa: E402
from sympozium_protocol.process import log, run  # noqa: E402


async def serving() -> None:
    """Until told to end, which is no fault."""
    from sympozium_controller.operator.program import serve

    gc.enable()
    settings = from_environment()
    log("starts", holder=settings.holder, namespaces=settings.namespaces or "all")
    try:
        await serve(settings)
    except asyncio.CancelledError:
        log("stops", why="told to end")


def main() -> None:
    words = sys.argv[1:]
    if words in (["--help"], ["-h"]):
        sys.stdout.write(HELP)
        raise SystemExit(0)
    if words:
        sys.stderr.write(f"sympozium-controller: {words[0]}: takes no arguments; see --help\n")
        raise SystemExit(int(Reason.Usage))
    raise SystemExit(run(serving))


if __name__ == "__main__":
    main()
