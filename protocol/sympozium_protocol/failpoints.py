"""Named places at which a test may kill a program, so that crashes happen where they hurt.

``SYMPOZIUM_FAILPOINT=name@FILE`` kills the program with SIGKILL the first time that it passes
``name``; creating FILE (exclusively) is what makes it the first. ``name#3@FILE``: the third time
in one life. ``model/name@FILE``: only the program with that SYMPOZIUM_PARTICIPANT.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

_passed: Counter[str] = Counter()
_WANTED = os.environ.get("SYMPOZIUM_FAILPOINT", "")


def failpoint(name: str) -> None:
    """Die here, if a test asked for it."""
    if not _WANTED:
        return
    wanted, _, path = _WANTED.partition("@")
    wanted, _, count = wanted.partition("#")
    program, _, wanted = wanted.rpartition("/")
    if program and program != os.environ.get("SYMPOZIUM_PARTICIPANT"):
        return
    _passed[name] += 1
    if name != wanted or _passed[name] != int(count or 1):
        return
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
