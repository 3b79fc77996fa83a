"""What the command line says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sympozium_controller.errors import FLAGS, Origin

ON_COMMAND_LINE: Final = Origin(FLAGS)


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags of ``sympozium run``; empty or None = not said. ``timeout`` is text such as "10m"."""

    input: str = ""
    instance: str = ""
    provider: str = ""
    model: str = ""
    base_url: str = ""
    script: tuple[str, str] | None = None
    """The script's file name and what stands in it."""
    recording: str = ""
    """``replay``: the ipc directory of the recorded run."""
    skills: tuple[str, ...] = ()
    policy: str = ""
    timeout: str = ""
    max_steps: int | None = None
    max_tokens: int | None = None
    max_usd: float | None = None
    approve: Literal["ask", "all", "none", "wait"] = "ask"
    """``none``: there is nobody to ask, so ``ask`` is deny. ``wait``: whoever answers does so from elsewhere."""
    system: str = ""
    memory: bool = False
    """Give the instance its memory, whatever its document says."""
    mcp: tuple[str, ...] = ()
    """MCP servers as NAME=COMMAND or NAME=URL."""
    elsewhere: tuple[str, ...] = ()
    """Participants that answer over the bus, as PARTICIPANT or PARTICIPANT=SERVICE."""
