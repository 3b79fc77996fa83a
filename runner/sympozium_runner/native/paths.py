"""From a path as the model writes it to a place in the agent's file system, and errors back in its words."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

WORKSPACE: Final = "/workspace"


class Refused(Exception):
    """The tool does not do that; the message is for the model."""


def locate(path: str, workspace: Path) -> Path:
    """The absolute path, links not resolved: /workspace is ``workspace``, relative paths start there.

    Raises Refused for what can be no path.
    """
    if not path or "\0" in path:
        raise Refused("The path is empty or holds a NUL character.")
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise Refused("The path holds characters that no file name can have.") from None
    if path == WORKSPACE or path.startswith(WORKSPACE + "/"):
        path = "./" + path[len(WORKSPACE) :]
        return workspace / path.replace("//", "/")
    return workspace / path


def explain(path: str, error: OSError) -> str:
    """What the system said about ``path``, without any other path."""
    if error.errno == errno.ENOENT:
        return f"{path}: there is no such file or directory."
    if error.errno == errno.ELOOP:
        return f"{path}: leads through a symbolic link that cannot be followed."
    return f"{path}: {(error.strerror or 'cannot be used').lower()}."


def printable(name: str) -> str:
    """A file name on one line, whatever bytes it has: control characters and strange bytes as escapes."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
