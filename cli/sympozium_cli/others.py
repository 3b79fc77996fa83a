"""Commands that are programs of their own: this command becomes them, with what it alone knows put in."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from sympozium_cli.rundir import MODE, memory_directory
from sympozium_controller.memory import FILE
from sympozium_controller.objects.base import NAME_PATTERN
from sympozium_protocol.exits import Ended, Reason

MAKING = frozenset({"store", "import"})
"""Commands that may be the first to put something into a memory."""

HELP = """sympozium memory [--instance NAME] [--namespace NAME] COMMAND …

The commands below, but for serve, on the memory of one instance (default: laptop, the instance that flags make).

"""


def memory(words: Sequence[str], namespace: str, instance: str) -> NoReturn:
    """``sympozium memory``: the memory's own commands on the file of this instance. Raises Ended."""
    if not words or words[0].startswith("-"):
        sys.stdout.write(HELP)
        become("sympozium-memory", ["--help"])
    if words[0] == "serve":
        raise Ended(Reason.Usage, "command line: a memory is served by the runs that use it")
    for name, value in (("--instance", instance), ("--namespace", namespace)):
        if not re.fullmatch(NAME_PATTERN[1:-1], value):
            raise Ended(Reason.Usage, f"command line: {name}: {value!r} cannot be a name")
    directory = memory_directory(namespace, instance)
    if words[0] in MAKING:
        directory.mkdir(mode=MODE, parents=True, exist_ok=True)
    become("sympozium-memory", [words[0], "--file", str(directory / FILE), *words[1:]])


def become(program: str, words: Sequence[str]) -> NoReturn:
    """Run another program of this installation in this one's place. Raises Ended when it is not installed."""
    path = Path(sys.executable).parent / program
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execv(path, [program, *words])  # noqa: S606  a program of ours, and no shell is wanted
    except OSError as error:
        raise Ended(Reason.MissingReference, f"{path}: {(error.strerror or str(error)).lower()}") from None
