"""Everything on the disk that the programs of a pod find when they start."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from sympozium_cli.rundir import LOGS, MODE, POD_FILE, RunDirectory
from sympozium_controller.render.processes import Processes
from sympozium_protocol import layout
from sympozium_protocol.files import open_root
from sympozium_protocol.messages.spec import RunSpec


def lay_out(run: RunDirectory, spec: RunSpec, spec_bytes: bytes, pod_file: bytes, processes: Processes) -> None:
    """Fill a new directory; run.json, by which a directory is known as a run, comes last. Raises OSError, FileFault."""
    for path in (*processes.directories, str(run.path / LOGS)):
        Path(path).mkdir(mode=MODE, parents=True, exist_ok=True)
    for path, text in processes.files:
        Path(path).write_bytes(text.encode())
    _make_places(run, (p.name for p in spec.participants))
    with run.open() as directory:
        directory.write(POD_FILE, pod_file, durable=True)
    with run.open_ipc() as ipc, ipc.open(layout.RUN) as place:
        place.write(layout.RUN_FILE, spec_bytes, durable=True)


def _make_places(run: RunDirectory, participants: Iterable[str]) -> None:
    with open_root(run.ipc) as root:
        for place in layout.places(tuple(participants)):
            root.make(place).close()


def clear_tmp(processes: Processes) -> None:
    """A resumed program finds an empty temporary directory, as in a new container."""
    for process in processes.programs:
        tmp = dict(process.env)["TMPDIR"]
        if os.path.isdir(tmp) and not os.path.islink(tmp):
            shutil.rmtree(tmp, ignore_errors=True)
        Path(tmp).mkdir(mode=MODE, parents=True, exist_ok=True)
