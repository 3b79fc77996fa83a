"""list_directory: what is in a directory."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from sympozium_protocol.messages.base import JsonObject
from sympozium_protocol.messages.calls import Tool
from sympozium_protocol.participant.context import Result
from sympozium_runner.native.base import Native, NativeContext
from sympozium_runner.native.paths import Refused, explain, locate, printable

SHOWN: Final = 500
"""Entries of one answer."""

_LOOKED_AT = 20_000
"""Entries that are read of a directory at all; beyond, its size is only known to be larger."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One name, in the words that the model reads."""

    name: str
    kind: str
    size: int | None = None
    target: str | None = None

    def line(self) -> str:
        size = "-" if self.size is None else str(self.size)
        target = f" -> {self.target}" if self.target is not None else ""
        slash = "/" if self.kind == "directory" else ""
        return f"{self.kind:9} {size:>12}  {self.name}{slash}{target}"


async def list_directory(arguments: JsonObject, env: NativeContext) -> Result:
    """Answer with names, kinds and sizes in bytes, sorted by name."""
    path = str(arguments.get("path", "."))
    try:
        entries, more = await asyncio.to_thread(entries_of, locate(path, env.workspace))
    except Refused as fault:
        return Result.error(str(fault))
    except NotADirectoryError:
        return Result.error(f"{path}: is not a directory.")
    except OSError as error:
        return Result.error(explain(path, error))
    return show(path, entries, more=more)


def entries_of(place: Path) -> tuple[list[Entry], bool]:
    """The entries to show, and whether the directory has more than could be counted. Raises OSError."""
    with os.scandir(place) as found:
        names = list(islice(found, _LOOKED_AT + 1))
    more = len(names) > _LOOKED_AT
    names = sorted(names[:_LOOKED_AT], key=lambda entry: entry.name)
    shown = [_entry(entry) for entry in names[:SHOWN]]
    return shown + [Entry(entry.name, "") for entry in names[SHOWN:]], more


def _entry(found: os.DirEntry[str]) -> Entry:
    name = printable(found.name)
    try:
        if found.is_symlink():
            return Entry(name, "link", target=printable(os.readlink(found.path)))
        if found.is_dir(follow_symlinks=False):
            return Entry(name, "directory")
        if found.is_file(follow_symlinks=False):
            return Entry(name, "file", found.stat(follow_symlinks=False).st_size)
    except OSError:  # gone since it was listed, or not ours to look at
        return Entry(name, "unknown")
    return Entry(name, "special")


def show(path: str, entries: list[Entry], *, more: bool) -> Result:
    """The listing as text. Pure."""
    if not entries:
        return Result.text(f"{path}: is empty.", entries=0)
    lines = [entry.line() for entry in entries[:SHOWN]]
    if len(entries) > SHOWN:
        count = f"more than {len(entries)}" if more else str(len(entries))
        lines.append(f"[{SHOWN} of {count} entries shown, in order of name]")
    return Result.text("\n".join(lines), entries=len(entries))


LIST_DIRECTORY = Native(
    Tool(
        name="list_directory",
        description=(
            "List a directory: kind, size in bytes and name of each entry, sorted by name, "
            f"at most {SHOWN}. Relative paths start from /workspace."
        ),
        parameters={
            "type": "object",
            "properties": {"path": {"type": "string", "minLength": 1, "description": "the directory", "default": "."}},
            "additionalProperties": False,
        },
    ),
    list_directory,
)
