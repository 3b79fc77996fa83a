"""What a person asks of a memory: each command opens the file, does one thing and says what it did."""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sympozium_memory.entry import Entry
from sympozium_memory.faults import BadInput, FileFault, MemoryFault, NoSpace, Taken
from sympozium_memory.store import Memory
from sympozium_memory.telling import fields, printable, times, told
from sympozium_memory.words import runs
from sympozium_protocol.exits import Reason

if TYPE_CHECKING:
    from sympozium_memory.exchange import Imported

MAKES: Final = ("store", "import")
"""Commands that may begin a new memory; the others would only hide a misspelt name."""


class Missing(MemoryFault):
    """Nothing is there by that name."""


def perform(options: argparse.Namespace) -> int:
    """Do it; the exit code. What went wrong is one line on standard error."""
    try:
        if options.command not in MAKES and not options.file.exists():
            raise Missing(f"there is no memory at {options.file}")
        with Memory.open(options.file) as memory:
            return _COMMANDS[options.command](memory, options)
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (MemoryFault, OSError, UnicodeDecodeError) as fault:
        print(printable(f"{options.parser.prog}: {_words(fault)}"), file=sys.stderr)
        return int(_reason(fault, options.command))


def _words(fault: Exception) -> str:
    if isinstance(fault, OSError):
        return f"{fault.filename}: {fault.strerror}" if fault.filename else str(fault.strerror)
    return "the input is not UTF-8 text" if isinstance(fault, UnicodeDecodeError) else str(fault)


def _reason(fault: Exception, command: str) -> Reason:
    match fault:
        case BadInput() | UnicodeDecodeError():
            return Reason.InvalidDocument if command == "import" else Reason.Usage
        case Taken():
            return Reason.Usage
        case Missing():
            return Reason.MissingReference
        case NoSpace():
            return Reason.DiskFull
        case FileFault():
            return Reason.StorageFailed
        case OSError():
            return Reason.DiskFull if fault.errno == errno.ENOSPC else Reason.Usage
    return Reason.StorageFailed


def _search(memory: Memory, options: argparse.Namespace) -> int:
    query = " ".join(options.query)
    if not any(runs(query)):
        raise BadInput("query", "has no word that could be looked for")
    return _show(memory.search(query, options.top_k, tags=options.tags), options)


def _list(memory: Memory, options: argparse.Namespace) -> int:
    found = memory.list(tags=options.tags, run=options.run, limit=options.limit, before=options.before)
    return _show(found, options)


def _show(entries: list[Entry], options: argparse.Namespace) -> int:
    if options.output == "json":
        _print_json([fields(entry) for entry in entries])
    elif entries:
        print(printable(told(entries, time.time())))
    else:
        print("nothing found", file=sys.stderr)
    return 0


def _store(memory: Memory, options: argparse.Namespace) -> int:
    content = sys.stdin.read() if options.content == "-" else options.content
    stored = memory.store(content, tags=options.tags, trust="person")
    words = "remembered" if stored.added else f"was remembered already (stored {times(stored.count)})"
    return _done(options, f"{words}: [{stored.id}]", id=stored.id, added=stored.added, count=stored.count)


def _revoke(memory: Memory, options: argparse.Namespace) -> int:
    if bool(options.ids) == bool(options.run):
        raise BadInput("revoke", "needs either ids or --run")
    done = memory.revoke(run=options.run, ids=options.ids, person=options.person, reason=options.reason)
    missing = sorted({*options.ids} - {entry.id for entry in done.revoked})
    if not done.revoked and not done.kept:
        what = f"run {options.run!r} stored nothing" if options.run else f"there is no entry {_numbers(missing)}"
        raise Missing(f"{what} that is still here")
    words = f"revoked: {_numbers([entry.id for entry in done.revoked]) or 'none'}"
    kept = [entry.id for entry in done.kept]
    words += f"\n{_kept(kept)}" if kept else ""
    words += f"\nnot there: {_numbers(missing)}" if missing else ""
    return _done(options, words, revoked=[entry.id for entry in done.revoked], kept=kept, missing=missing)


def _kept(ids: list[int]) -> str:
    """The ids as lists show them, so that one is not read as a count; and how it can be had all the same."""
    are = "is kept: others stored it" if len(ids) == 1 else "are kept: others stored them"
    return f"{_numbers(ids)} {are} too; to take back all the same: revoke {' '.join(map(str, ids))}"


def _numbers(ids: list[int]) -> str:
    return ", ".join(f"[{one}]" for one in ids)


def _export(memory: Memory, options: argparse.Namespace) -> int:
    if options.output == "-":
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
        for line in memory.export():
            print(line)
        sys.stdout.flush()
        return 0
    path = Path(options.output)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in memory.export())
    except FileExistsError:
        raise Taken(path, "is there already: nothing is replaced") from None
    return 0


def _import(memory: Memory, options: argparse.Namespace) -> int:
    if options.input == "-":
        sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
        done = memory.import_(sys.stdin)
    else:
        done = _import_file(memory, options.input)
    words = f"added {done.added}, here already {done.merged}, not taken because they were revoked here {done.refused}"
    facts = {"added": done.added, "merged": done.merged, "refused": done.refused, "revocations": done.revocations}
    return _done(options, words, **facts)


def _import_file(memory: Memory, path: str) -> Imported:
    """Raises BadInput, which names the file."""
    try:
        with Path(path).open(encoding="utf-8") as file:
            return memory.import_(file)
    except UnicodeDecodeError:
        raise BadInput(f"{path}:", "is not UTF-8 text") from None
    except BadInput as fault:
        raise BadInput(f"{path}:", fault.why) from None


def _backup(memory: Memory, options: argparse.Namespace) -> int:
    memory.backup(options.destination)
    size = options.destination.stat().st_size
    return _done(options, f"copied {size} bytes to {options.destination}", path=str(options.destination), size=size)


def _check(memory: Memory, options: argparse.Namespace) -> int:
    faults = memory.check()
    _done(options, "\n".join(faults) or f"sound: {memory.count()} entries", sound=not faults, faults=list(faults))
    return 1 if faults else 0


def _done(options: argparse.Namespace, words: str, **facts: Any) -> int:
    if options.output == "json":
        _print_json(facts)
    else:
        print(printable(words))
    return 0


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=True, indent=2))


_COMMANDS: Final[dict[str, Callable[[Memory, argparse.Namespace], int]]] = {
    "search": _search,
    "list": _list,
    "store": _store,
    "revoke": _revoke,
    "export": _export,
    "import": _import,
    "backup": _backup,
    "check": _check,
}
