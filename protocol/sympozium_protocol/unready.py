"""Why a participant has published no manifest yet, in its own words: one file, which it replaces, and which goes when
it is ready. So an agent that waits in vain can say more than a name, whoever of the two gives up first."""

from __future__ import annotations

from typing import Final

from sympozium_protocol.files import Directory, FileFault
from sympozium_protocol.layout import UNREADY_FILE

MOST: Final = 500
"""Characters of a reason."""


def say_unready(own: Directory, why: str) -> None:
    """Say what this participant, whose directory is ``own``, is waiting for. Raises CannotWrite."""
    own.replace(UNREADY_FILE, (_line(why) or "no reason is known").encode("utf-8", "replace"))


def unready(own: Directory) -> str:
    """What the participant of this directory says that it is waiting for; empty when it says nothing readable."""
    try:
        data = own.read(UNREADY_FILE)
    except FileFault:
        return ""
    return _line((data or b"").decode("utf-8", "replace"))


def _line(text: str) -> str:
    return " ".join(text.split())[:MOST]
