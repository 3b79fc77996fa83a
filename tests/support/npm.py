"""Programs from the npm registry that tests speak with: where ``make`` has put them, and why they may be missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "build" / "npm" / "node_modules"
BIN = MODULES / ".bin"


def program(name: str) -> str:
    """The path of a program. Skips the test on a machine without npm; with it, ``make peers`` has to have run."""
    path = BIN / name
    if not path.exists() and shutil.which("npm") is None:
        pytest.skip("there is no npm on this machine")
    assert path.exists(), f"{path.relative_to(ROOT)}: is not there (make peers installs it)"
    return str(path)


def environment(**more: str) -> dict[str, str]:
    """With the Node.js that came along, which may be newer than the machine's."""
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **more}
