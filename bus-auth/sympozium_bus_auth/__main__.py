"""``sympozium-bus-auth``: the keeper of the bus; and its keys and tokens."""

# the collector finds nothing to free while modules load, and costs a tenth of the start
import gc

gc.disable()

import argparse  # noqa: E402
import sys  # noqa: E402

from sympozium_bus_auth.commandline import parse  # noqa: E402
from sympozium_protocol.exits import Ended, Reason  # noqa: E402


def main() -> None:
    options = parse(sys.argv[1:])
    if options.command != "serve":
        gc.enable()
        raise SystemExit(_once(options))
    from sympozium_protocol.process import run

    raise SystemExit(run(lambda: _serve(options)))


def _once(options: argparse.Namespace) -> int:
    from sympozium_bus_auth.commands import perform

    try:
        sys.stdout.write(perform(options) + "\n")
        return 0
    except Ended as ended:
        sys.stderr.write(f"error: {ended.message}\n")
        return int(ended.reason)


async def _serve(options: argparse.Namespace) -> None:
    from contextlib import AsyncExitStack

    from sympozium_bus_auth.keys import Keys
    from sympozium_bus_auth.program import Service, serve
    from sympozium_bus_auth.verifiers import verifier
    from sympozium_protocol.bus.settings import BusSettings
    from sympozium_protocol.bus.stream import StreamLimits

    gc.enable()
    gc.freeze()
    bus = BusSettings.from_environment()
    if bus is None:
        raise Ended(Reason.Usage, "SYMPOZIUM_BUS: is not set; it names the server")
    async with AsyncExitStack() as stack:
        await serve(
            Service(
                bus=bus,
                keys=Keys.read(options.keys),
                verifier=await verifier(stack, options.keys, cluster=options.cluster),
                stream=StreamLimits(age=options.age, size=options.size, replicas=options.replicas),
                connections=options.connections,
                ready=options.ready,
                ended_grace=options.ended_grace,
            )
        )


if __name__ == "__main__":
    main()
