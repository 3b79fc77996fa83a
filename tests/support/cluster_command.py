"""The command as a person has it on a cluster: what it prints, and where it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMAND = str(Path(sys.executable).parent / "sympozium")
WITHIN = 60.0


def sympozium(kubeconfig: Path | str, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    done = subprocess.run(
        [COMMAND, *words], capture_output=True, text=True, check=False, env=_environment(kubeconfig), timeout=WITHIN
    )
    return done.returncode, done.stdout, done.stderr


def refused(kubeconfig: Path | str, *words: str) -> tuple[int, str]:
    """Exit code and what is said, of a command that must fail without a stack and with nothing on standard output."""
    code, shown, said = sympozium(kubeconfig, *words)
    assert code, (shown, said)
    assert shown == ""
    assert "Traceback" not in said
    return code, said


@contextmanager
def started(kubeconfig: Path | str, *words: str, within: float = WITHIN) -> Iterator[subprocess.Popen[str]]:
    """The command while it runs; it is killed if it still does then, or after so many seconds: whoever reads sees an
    end."""
    process = subprocess.Popen(
        [COMMAND, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(kubeconfig),
    )
    end = threading.Timer(within, process.kill)
    end.start()
    try:
        yield process
    finally:
        end.cancel()
        process.kill()
        process.communicate()


def _environment(kubeconfig: Path | str) -> dict[str, str]:
    return {**os.environ, "KUBECONFIG": str(kubeconfig)}
