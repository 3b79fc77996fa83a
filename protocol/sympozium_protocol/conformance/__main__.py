"""``sympozium-conformance``: judge a participant from outside."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from sympozium_protocol.conformance import descendants
from sympozium_protocol.conformance.asking import Ask
from sympozium_protocol.conformance.checking import make
from sympozium_protocol.conformance.core import CORE
from sympozium_protocol.conformance.full import FULL
from sympozium_protocol.conformance.lab import Lab
from sympozium_protocol.conformance.scratch import run_spec
from sympozium_protocol.exits import Reason
from sympozium_protocol.ids import is_id
from sympozium_protocol.layout import RESERVED
from sympozium_protocol.messages.base import InvalidDocument, JsonObject

EPILOG = """COMMAND is started with SYMPOZIUM_IPC (a scratch directory), SYMPOZIUM_PARTICIPANT (--name),
SYMPOZIUM_RUN_DIGEST and SYMPOZIUM_WORKSPACE. Exit codes: 0 it conforms, 1 it does not, 10 usage.
The slow call must take about a second or longer, and end with outcome ok within --timeout."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(int(Reason.Usage), f"{self.prog}: {message}\n")


def _ask(text: str) -> Ask:
    tool, equals, arguments = text.partition("=")
    try:
        found = json.loads(arguments) if equals else {}
    except ValueError as fault:
        raise argparse.ArgumentTypeError(f"{tool}: the arguments are not JSON: {fault}") from None
    if not isinstance(found, dict) or not tool:
        raise argparse.ArgumentTypeError(f'is not TOOL={{"name": value, …}}: {text}')
    return Ask(tool, found)


def _fields(path: str) -> JsonObject:
    """Fields of a RunSpec from a file; the participants are the kit's."""
    try:
        found = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as fault:
        raise argparse.ArgumentTypeError(f"{path}: {fault}") from None
    if not isinstance(found, dict) or "participants" in found:
        raise argparse.ArgumentTypeError(f"{path}: is not an object with fields of a RunSpec other than participants")
    try:
        run_spec("subject", (), found)
    except InvalidDocument as fault:
        raise argparse.ArgumentTypeError(f"{path}: {fault.why}") from None
    return found


def _parser() -> _Parser:
    parser = _Parser(
        prog="sympozium-conformance",
        description="Starts a program as a participant of a scratch run and judges it by the files that it writes.",
        epilog=EPILOG,
        usage="%(prog)s [options] -- COMMAND…",
    )
    parser.add_argument("--level", choices=("core", "full"), default="core", help="what is expected (default core)")
    parser.add_argument("--name", default="subject", help="the participant's name in the run (default subject)")
    parser.add_argument(
        "--call", type=_ask, metavar="TOOL={…}", help="a call that ends ok (default: from the first tool's schema)"
    )
    parser.add_argument("--slow-call", type=_ask, metavar="TOOL={…}", help="a call that takes a second or more")
    parser.add_argument(
        "--spec", type=_fields, default={}, metavar="FILE", help="JSON: further fields of the run's RunSpec"
    )
    parser.add_argument(
        "--timeout", type=float, default=10.0, metavar="S", help="seconds that an answer may take (default 10)"
    )
    parser.add_argument("command", nargs="+", metavar="COMMAND", help=argparse.SUPPRESS)
    return parser


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.level == "full" and options.slow_call is None:
        parser.error("--level full needs --slow-call")
    if not is_id(options.name) or options.name in RESERVED:
        parser.error(f"--name: {options.name!r} cannot be a participant's name")
    if not options.timeout > 0:
        parser.error("--timeout: must be more than 0")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge; the exit code (also of the console script)."""
    options = _options(arguments)
    descendants.adopt_orphans()
    signal.signal(signal.SIGTERM, _stop)  # so that what was started is ended on the way out
    lab = Lab(options.command, options.name, options.timeout, options.call, options.slow_call, options.spec)
    try:
        failed = make(FULL if options.level == "full" else CORE, lab, sys.stdout)
    except KeyboardInterrupt:
        return int(Reason.Cancelled)
    finally:
        lab.renew()
    if failed and lab.said:
        print("the last it said:\n" + "\n".join(f"  | {line}" for line in lab.said))
    return 1 if failed else 0


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main())
