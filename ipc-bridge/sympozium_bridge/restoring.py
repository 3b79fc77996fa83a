"""``sympozium-restore``: what the stream has of a run is written into the empty volumes of its next pod.

It runs alone, before the gate and all others, with the gate's credential, and ends when the directory is whole.
"""

# the collector finds nothing to free while modules load, and costs a tenth of the start
import gc

gc.disable()

import argparse  # noqa: E402
import asyncio  # noqa: E402
from typing import Final  # noqa: E402

from sympozium_protocol import layout  # noqa: E402
from sympozium_protocol.bus import subjects  # noqa: E402
from sympozium_protocol.bus.faults import Away, NobodyThere  # noqa: E402
from sympozium_protocol.bus.link import Link, connected  # noqa: E402
from sympozium_protocol.bus.restoring import Restoring  # noqa: E402
from sympozium_protocol.bus.settings import BusSettings  # noqa: E402
from sympozium_protocol.bus.subjects import RunKey  # noqa: E402
from sympozium_protocol.exits import Ended, Reason  # noqa: E402
from sympozium_protocol.failpoints import failpoint  # noqa: E402
from sympozium_protocol.process import Settings, log, open_run, run  # noqa: E402

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 2.0
"""Seconds between two attempts to reach the bus: whoever made the pod knows when it is enough."""
PRESENT_WITHIN: Final = 1.0
"""Seconds that a living gate has to say that it is there."""


async def restore(settings: Settings, bus: BusSettings | None) -> None:
    """Until the directory below ``settings.ipc`` has all of the run's stream, however long the bus is away.

    Raises Ended (Usage without a bus, InvalidRun, NotDurable, RunLocked, BusRefused), FileFault.
    """
    if bus is None:
        raise Ended(Reason.Usage, "SYMPOZIUM_BUS: is not set, and a run is restored from there")
    root, spec = open_run(settings)
    with root, root.open(layout.RUN) as own:
        work, key = Restoring(root, spec, own.read(layout.RUN_FILE) or b""), RunKey.of(spec)
        await _read(work, bus, key)
        failpoint("restored")
        started = work.finish()
    log("restored", files=work.written, started=len(started))


async def _read(work: Restoring, bus: BusSettings, key: RunKey) -> None:
    wait, away = FIRST_WAIT, ""
    while True:
        try:
            async with connected(bus, principal=subjects.run_principal(key)) as link:
                await _check_alone(link, key)
                return await work.read(link)
        except Away as fault:
            if away != (away := str(fault)):
                log("bus away", message=f"the bus is away: {away}", files=work.written)
        await asyncio.sleep(wait)
        wait = min(LONGEST_WAIT, wait * 2)


async def _check_alone(link: Link, key: RunKey) -> None:
    """What a living gate still writes would be missing. One that was cut off does not answer. Raises Away, Ended
    (RunLocked)."""
    try:
        await link.request(subjects.present(key), b"", within=PRESENT_WITHIN)
    except NobodyThere:
        return
    except Away:
        if link.lost:
            raise
        return
    raise Ended(Reason.RunLocked, f"{key}: a gate of this run is on the bus")


def main() -> None:
    """Parse nothing but --help; the settings come from the environment, the rest from run.json and the stream."""
    parser = argparse.ArgumentParser(
        prog="sympozium-restore",
        description="Writes what the bus has of a run into its empty directory, for the run to go on there.",
        epilog="Environment: SYMPOZIUM_IPC (default /ipc; run/run.json is there), SYMPOZIUM_RUN_DIGEST (refuse another "
        "run.json), SYMPOZIUM_BUS, SYMPOZIUM_BUS_TOKEN_FILE, SYMPOZIUM_BUS_CA_FILE (as the gate has them).",
    )
    parser.parse_args()
    gc.enable()
    gc.freeze()
    raise SystemExit(run(lambda: restore(Settings.from_environment(), BusSettings.from_environment())))


if __name__ == "__main__":
    main()
