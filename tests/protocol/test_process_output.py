"""How a program ends is said by its exit code, whatever becomes of its log."""

from __future__ import annotations

import subprocess
import sys

from sympozium_protocol.exits import Reason

PROGRAM = """
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.process import run

async def main():
    raise Ended(Reason.DiskFull, "no space")

raise SystemExit(run(main))
"""


def test_a_log_that_cannot_be_written_does_not_replace_the_exit_code() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-c", PROGRAM], stdout=full, stderr=full, check=False)
    assert done.returncode == Reason.DiskFull
