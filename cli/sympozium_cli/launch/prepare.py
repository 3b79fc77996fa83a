"""Everything on the disk that the programs of a pod find when they start."""

from __future__ import annotations

from pathlib import Path

from sympozium_cli.launch.platform import Platform
from sympozium_cli.rundir import LOGS, MODE, POD_FILE, RunDirectory
from sympozium_protocol import layout
from sympozium_protocol.messages.spec import RunSpec


def lay_out(run: RunDirectory, spec: RunSpec, spec_bytes: bytes, pod_file: bytes, platform: Platform) -> None:
    """Fill a new directory; run.json, by which a directory is known as a run, comes last. Raises OSError, FileFault."""
    make_places(run, spec, platform)
    with run.open() as directory:
        directory.write(POD_FILE, pod_file, durable=True)
    with run.open_ipc() as ipc, ipc.open(layout.RUN) as own:
        own.write(layout.RUN_FILE, spec_bytes, durable=True)


def make_places(run: RunDirectory, spec: RunSpec, platform: Platform) -> None:
    """Every directory that is not there yet, and the files of the pod's packs. Raises OSError, FileFault."""
    for path in (*platform.directories, str(run.path / LOGS)):
        Path(path).mkdir(mode=MODE, parents=True, exist_ok=True)
    for path, text in platform.files:
        Path(path).write_bytes(text.encode())
    with run.open_ipc() as ipc:
        for place in layout.places(tuple(participant.name for participant in spec.participants)):
            ipc.make(place).close()
