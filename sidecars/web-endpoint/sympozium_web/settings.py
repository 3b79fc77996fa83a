"""What the program is told when it starts. Sizes in bytes, times in seconds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAX_RUNS: Final = 4
MAX_BODY: Final = 1 << 20
"""Bytes of a request: a run's RunSpec, with the input in it, may have no more."""
KEEP: Final = 200
"""Runs of this server that are kept on the disk."""


@dataclass(frozen=True, slots=True)
class Settings:
    """``files``: the documents, as ``sympozium run -f`` takes them. ``token``: what a client must present."""

    files: tuple[str, ...]
    token: str
    token_made: bool = False
    """Was it made here, and so has to be said once?"""
    instance: str = ""
    host: str = "127.0.0.1"
    port: int = 8080
    max_runs: int = MAX_RUNS
    max_body: int = MAX_BODY
    keep: int = KEEP
    approve: str = "none"
    timeout: str = ""
    """Of each run, as ``sympozium run --timeout`` takes it; empty: what the documents say."""
    expose_tools: bool = False
    allowed_hosts: tuple[str, ...] = ()
    """Names by which clients may reach /mcp, besides those of loopback."""


def runs_root() -> Path:
    """Where the command keeps runs by default, so that ``sympozium runs`` finds those of this server."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    return base / "sympozium" / "runs"
