"""The command line: what can be asked of this program, and how wrong usage is answered."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn, TypeAlias

from sympozium_protocol.exits import Reason

COMMANDS: Final = ("serve", "search", "list", "store", "revoke", "export", "import", "backup", "check")

CALLED: Final = "SYMPOZIUM_COMMAND"
"""The variable by which a command that runs this program in its own place says under what name it did. It has then
chosen the file, by the instance, and what serves runs is not for those whom it serves."""

EXIT_CODES: Final = """\
Exit codes: 0 done, 10 wrong usage or input, 11 an export that cannot be read, 12 nothing there by that name,
60 the disk is full, 61 the file cannot be used, 1 check found faults."""

EPILOG: Final = f"""The file is --file, else SYMPOZIUM_MEMORY, else /memory/memory.db. Other variables of serve:
SYMPOZIUM_IPC (default /ipc), SYMPOZIUM_PARTICIPANT (default memory), SYMPOZIUM_RUN_DIGEST (refuse another
run.json), SYMPOZIUM_PARENT (end with this process); with --bus SYMPOZIUM_BUS (nats://HOST:PORT),
SYMPOZIUM_BUS_TOKEN_FILE, SYMPOZIUM_BUS_CA_FILE.
{EXIT_CODES}"""

Adding: TypeAlias = Callable[..., argparse.ArgumentParser]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(int(Reason.Usage), f"{self.prog}: {message}\n")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Exits with code 10 (Usage) when wrong. No subcommand at all is ``serve``, where that is one."""
    called = os.environ.get(CALLED, "")
    known = COMMANDS[1:] if called else COMMANDS
    parser = _parser(called)
    first = arguments[0] if arguments else ""
    if first and not first.startswith("-") and first not in known:
        parser.error(f"there is no command {first}; there are {', '.join(known)}")
    named = called or first in (*known, "-h", "--help")
    options, rest = parser.parse_known_args(arguments if named else ["serve", *arguments])
    if rest:
        options.parser.error(_too_much(options.command, rest))
    if options.command == "serve":
        _check_bus(options)
    return options


def _check_bus(options: argparse.Namespace) -> None:
    if options.bus and (options.ipc or not options.service):
        options.parser.error("--bus goes with --service, and without --ipc")
    if not options.bus and (options.service or options.namespace):
        options.parser.error("--service and --namespace go with --bus")


def _too_much(command: str, rest: Sequence[str]) -> str:
    if command == "store" and not any(word.startswith("-") for word in rest):
        return "what to remember is one argument: put it in quotes"
    return f"does not know what to do with {' '.join(rest)}"


def _parser(called: str) -> _Parser:
    whose = _whose_by_instance() if called else _whose_by_file()
    parser = _Parser(
        prog=called or "sympozium-memory",
        parents=[whose] if called else [],
        description="What an instance of an agent remembers from run to run."
        if called
        else "The memory of an agent's instance: one SQLite file. Serves it to runs (serve, the default), and "
        "shows it to people.",
        epilog=EXIT_CODES if called else EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    add = partial(_command, commands, whose)
    if not called:
        _serve(add)
    for one in (_search, _list, _store, _revoke, _exchange):
        one(add)
    return parser


def _whose_by_instance() -> argparse.ArgumentParser:
    """Only for the help: whoever called us has read these already."""
    found = argparse.ArgumentParser(add_help=False)
    found.set_defaults(file=_file())
    found.add_argument("--instance", type=_read_already, metavar="NAME", help="whose memory (default: laptop)")
    found.add_argument("--namespace", type=_read_already, metavar="NAME", help="of the instance (default: default)")
    return found


def _whose_by_file() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(add_help=False)
    shown = "the memory's file (default: SYMPOZIUM_MEMORY, else /memory/memory.db)"
    found.add_argument("--file", type=Path, default=_file(), help=shown)
    return found


def _file() -> Path:
    return Path(os.environ.get("SYMPOZIUM_MEMORY") or "/memory/memory.db")


def _read_already(_: str) -> NoReturn:
    raise argparse.ArgumentTypeError("must not stand behind --")


def _command(
    commands: Any, whose: argparse.ArgumentParser, name: str, help_: str, *, json: bool = True
) -> argparse.ArgumentParser:
    words = f"{help_[0].upper()}{help_[1:]}."
    parser: argparse.ArgumentParser = commands.add_parser(name, parents=[whose], help=help_, description=words)
    parser.set_defaults(parser=parser)
    if json:
        parser.add_argument("--output", choices=("text", "json"), default="text", help="json: for programs")
        parser.add_argument(
            "--json", action="store_const", dest="output", const="json", help="the same as --output json"
        )
    return parser


def _serve(add: Adding) -> None:
    parser = add("serve", "answer the calls of runs until ended", json=False)
    parser.add_argument(
        "--ipc",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="the ipc directory of a run; again for each further run (default: SYMPOZIUM_IPC, else /ipc)",
    )
    parser.add_argument(
        "--bus", action="store_true", help="serve the runs that call on the bus that SYMPOZIUM_BUS names"
    )
    parser.add_argument("--service", metavar="NAME", help="with --bus: the name under which runs call it")
    parser.add_argument(
        "--namespace", action="append", default=[], help="with --bus: serve its runs alone; again for more"
    )


def _search(add: Adding) -> None:
    parser = add("search", "find what answers a question, best first")
    parser.add_argument("query", nargs="+", help="a question or some words")
    parser.add_argument("--top-k", type=_positive, default=5, metavar="N", help="results at most (default 5)")
    _tags(parser, "only entries with this tag; again for more")


def _list(add: Adding) -> None:
    parser = add("list", "show what is remembered, the newest first")
    parser.add_argument("--run", help="only what this run stored")
    parser.add_argument("--limit", type=_positive, default=20, metavar="N", help="entries at most (default 20)")
    parser.add_argument("--before", type=_positive, metavar="ID", help="only entries below this id: the next page")
    _tags(parser, "only entries with this tag; again for more")


def _store(add: Adding) -> None:
    parser = add("store", "remember something, on your word")
    parser.add_argument("content", help="what to remember; - reads it from standard input")
    _tags(parser, "a tag; again for more")


def _revoke(add: Adding) -> None:
    parser = add("revoke", "take entries back for good, by their ids or all that a run stored")
    parser.add_argument("ids", nargs="*", type=_positive, metavar="ID", help="the number that search and list show")
    parser.add_argument("--run", help="all that this run stored and nobody else did")
    parser.add_argument("--reason", default="", help="why: kept with the record of the revocation")
    parser.add_argument("--person", default=_me(), help="who: kept with it (default: your user name)")


def _exchange(add: Adding) -> None:
    parser = add("export", "write all of it as JSON lines", json=False)
    parser.add_argument("--output", default="-", metavar="PATH", help="where to (default: standard output)")
    parser = add("import", "take over an export; doing it twice changes nothing")
    parser.add_argument("input", nargs="?", default="-", metavar="PATH", help="where from (default: standard input)")
    parser = add("backup", "write a consistent copy of the file, also while it is in use")
    parser.add_argument("destination", type=Path, metavar="PATH", help="the copy; nothing is replaced")
    add("check", "read the whole file and tell whether it is sound")


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
