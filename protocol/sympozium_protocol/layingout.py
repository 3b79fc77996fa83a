"""``sympozium-layout``: lay out a pod's volumes where nobody outside can: the engine's own, which only containers see.

It copies the packs, makes every directory of the run, and writes run.json last: programs that start beside it wait
for that file.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
from pathlib import Path

from sympozium_protocol import layout
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.files import Directory, Exists, open_root
from sympozium_protocol.messages.base import InvalidDocument
from sympozium_protocol.messages.spec import RunSpec
from sympozium_protocol.process import report

PACKS = "packs"


def lay_out(seed: Path, ipc: Directory, packs: Path) -> None:
    """``seed`` holds run.json and packs/<name>/. Done once; a second time changes nothing.

    Raises Ended (InvalidRun), FileFault, OSError.
    """
    try:
        data = (seed / layout.RUN_FILE).read_bytes()
        spec = RunSpec.decode(data)
    except (OSError, InvalidDocument) as fault:
        raise Ended(Reason.InvalidRun, f"{seed / layout.RUN_FILE}: {fault}") from None
    for pack in sorted((seed / PACKS).iterdir()) if (seed / PACKS).is_dir() else ():
        shutil.copytree(pack, packs / pack.name, dirs_exist_ok=True, copy_function=shutil.copyfile)
    for place in layout.places(tuple(participant.name for participant in spec.participants)):
        ipc.make(place).close()
    with ipc.open(layout.RUN) as run:
        try:
            run.write(layout.RUN_FILE, data)
        except Exists:
            return


def main() -> None:
    """The console script."""
    parser = argparse.ArgumentParser(
        prog="sympozium-layout",
        description="Lay out the volumes of a run: packs, directories, and run.json last.",
        epilog="Environment: SYMPOZIUM_IPC (default /ipc).",
    )
    parser.add_argument("--from", dest="seed", type=Path, default=Path("/seed"), help="holds run.json and packs/")
    parser.add_argument("--packs", type=Path, default=Path("/packs"), help="where packs go")
    parser.add_argument("--stay", action="store_true", help="do not end: volumes in memory last while they are mounted")
    arguments = parser.parse_args()
    if arguments.stay:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        lay_out(arguments.seed, open_root(os.environ.get("SYMPOZIUM_IPC", "/ipc")), arguments.packs)
    except Exception as error:  # noqa: BLE001  the top of a program: whatever it is becomes a typed reason
        raise SystemExit(report(error)) from None
    while arguments.stay:
        signal.pause()


if __name__ == "__main__":
    main()
