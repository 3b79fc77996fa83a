"""The command line: what can be asked of this program, and how wrong usage is answered."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from sympozium_protocol.exits import Reason

COMMANDS: Final = ("serve", "search", "list", "store", "revoke", "export", "import", "backup", "check")

EPILOG: Final = """The file is --file, else SYMPOZIUM_MEMORY, else /memory/memory.db. Other variables of serve:
SYMPOZIUM_IPC (default /ipc), SYMPOZIUM_PARTICIPANT (default memory), SYMPOZIUM_RUN_DIGEST (refuse another
run.json), SYMPOZIUM_PARENT (end with this process).
Exit codes: 0 done, 10 wrong usage or input, 11 an export that cannot be read, 12 nothing there by that name,
60 the disk is full, 61 the file cannot be used, 1 check found faults."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(int(Reason.Usage), f"{self.prog}: {message}\n")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Exits with code 10 (Usage) when wrong. No subcommand at all is ``serve``."""
    named = arguments and arguments[0] in (*COMMANDS, "-h", "--help")
    return _parser().parse_args(arguments if named else ["serve", *arguments])


def _parser() -> _Parser:
    parser = _Parser(
        prog="sympozium-memory",
        description="The memory of an agent's instance: one SQLite file. Serves it to runs (serve, the default), and "
        "shows it to people.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _serve(commands)
    _search(commands)
    _list(commands)
    _store(commands)
    _revoke(commands)
    _exchange(commands)
    return parser


def _command(commands: Any, name: str, help_: str, *, json: bool = True) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help_, description=f"{help_[0].upper()}{help_[1:]}."
    )
    parser.add_argument(
        "--file",
        type=Path,
        default=Path(os.environ.get("SYMPOZIUM_MEMORY") or "/memory/memory.db"),
        help="the memory's file (default: SYMPOZIUM_MEMORY, else /memory/memory.db)",
    )
    if json:
        parser.add_argument("--json", action="store_true", help="answer in JSON, for programs")
    return parser


def _serve(commands: Any) -> None:
    parser = _command(commands, "serve", "answer the calls of runs until ended", json=False)
    parser.add_argument(
        "--ipc",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="the ipc directory of a run; again for each further run (default: SYMPOZIUM_IPC, else /ipc)",
    )


def _search(commands: Any) -> None:
    parser = _command(commands, "search", "find what answers a question, best first")
    parser.add_argument("query", nargs="+", help="a question or some words")
    parser.add_argument("--top-k", type=_positive, default=5, metavar="N", help="results at most (default 5)")
    _tags(parser, "only entries with this tag; again for more")


def _list(commands: Any) -> None:
    parser = _command(commands, "list", "show what is remembered, the newest first")
    parser.add_argument("--run", help="only what this run stored")
    parser.add_argument("--limit", type=_positive, default=20, metavar="N", help="entries at most (default 20)")
    parser.add_argument("--before", type=_positive, metavar="ID", help="only entries below this id: the next page")
    _tags(parser, "only entries with this tag; again for more")


def _store(commands: Any) -> None:
    parser = _command(commands, "store", "remember something, on your word")
    parser.add_argument("content", help="what to remember; - reads it from standard input")
    _tags(parser, "a tag; again for more")


def _revoke(commands: Any) -> None:
    parser = _command(commands, "revoke", "take entries back for good, by their ids or all that a run stored")
    parser.add_argument("ids", nargs="*", type=_positive, metavar="ID", help="the number that search and list show")
    parser.add_argument("--run", help="all that this run stored and nobody else did")
    parser.add_argument("--reason", default="", help="why: kept with the record of the revocation")
    parser.add_argument("--person", default=_me(), help="who: kept with it (default: your user name)")


def _exchange(commands: Any) -> None:
    parser = _command(commands, "export", "write all of it as JSON lines", json=False)
    parser.add_argument("--output", default="-", metavar="PATH", help="where to (default: standard output)")
    parser = _command(commands, "import", "take over an export; doing it twice changes nothing")
    parser.add_argument("input", nargs="?", default="-", metavar="PATH", help="where from (default: standard input)")
    parser = _command(commands, "backup", "write a consistent copy of the file, also while it is in use")
    parser.add_argument("destination", type=Path, metavar="PATH", help="the copy; nothing is replaced")
    _command(commands, "check", "read the whole file and tell whether it is sound")


def _tags(parser: argparse.ArgumentParser, help_: str) -> None:
    parser.add_argument("--tag", action="append", default=[], dest="tags", metavar="TAG", help=help_)


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < number < 1 << 63:
        raise argparse.ArgumentTypeError(f"is not a whole number above 0: {text!r}")
    return number


def _me() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in a container
        return str(os.getuid())
