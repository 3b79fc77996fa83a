"""Commands that are programs of their own: this command becomes them, with what it alone knows put in."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from sympozium_cli.rundir import MODE, memory_directory
from sympozium_controller.memory import FILE
from sympozium_controller.objects.base import NAME_PATTERN
from sympozium_protocol.exits import Ended, Reason

MAKING = frozenset({"store", "import"})
"""Commands that may be the first to put something into a memory."""

LOOKING = frozenset({"search", "list", "revoke", "export", "backup", "check"})
"""Commands for which there must be one."""

_ONLY_HERE = (
    "this command looks into memories of this machine alone; "
    "what an instance of a cluster remembers its agents find there, with their own tools"
)

HELP = frozenset({"-h", "--help"})


def memory(words: Sequence[str], namespace: str, instance: str) -> NoReturn:
    """``sympozium memory``: the memory's own commands on the file of this instance. Raises Ended."""
    if any(word == "--on=cluster" or words[n : n + 2] == ["--on", "cluster"] for n, word in enumerate(words)):
        raise Ended(Reason.Usage, f"command line: --on: {_ONLY_HERE}")
    for name, value in (("--instance", instance), ("--namespace", namespace)):
        if not re.fullmatch(NAME_PATTERN[1:-1], value):
            raise Ended(Reason.Usage, f"command line: {name}: {value!r} cannot be a name")
    directory = memory_directory(namespace, instance)
    helps = not words or not HELP.isdisjoint(words)
    if not helps and words[0] in MAKING:
        directory.mkdir(mode=MODE, parents=True, exist_ok=True)
    if not helps and words[0] in LOOKING and not (directory / FILE).exists():
        raise Ended(Reason.MissingReference, _no_memory(directory, namespace))
    told = {"SYMPOZIUM_COMMAND": "sympozium memory", "SYMPOZIUM_MEMORY": str(directory / FILE)}
    become("sympozium-memory", words or ["--help"], told)


def _no_memory(directory: Path, namespace: str) -> str:
    """Who has one, if anybody of the namespace does."""
    known = ", ".join(sorted(file.parent.name for file in directory.parent.glob(f"*/{FILE}")))
    others = f"these have one: {known}" if known else "no instance has one yet"
    return f"the instance {directory.name} of the namespace {namespace} has no memory here; {others}"


def become(program: str, words: Sequence[str], told: Mapping[str, str] | None = None) -> NoReturn:
    """Run another program of this installation in this one's place; ``told``: variables for it alone. Raises Ended
    when it is not installed."""
    path = Path(sys.executable).parent / program
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(path, [program, *words], {**os.environ, **(told or {})})  # noqa: S606  ours, and no shell is wanted
    except OSError as error:
        raise Ended(Reason.MissingReference, f"{path}: {(error.strerror or str(error)).lower()}") from None
