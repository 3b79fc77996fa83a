"""The command line: what can be asked of this program, and how wrong usage is answered."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from sympozium_protocol.exits import Reason
from sympozium_protocol.kube.labels import SYSTEM_NAMESPACE

KEYS: Final = "SYMPOZIUM_BUS_KEYS"
SYSTEM: Final = "SYMPOZIUM_SYSTEM_NAMESPACE"
EPILOG: Final = f"""Variables: SYMPOZIUM_BUS (of serve: the server, nats://HOST:PORT or tls://HOST:PORT),
SYMPOZIUM_BUS_CA_FILE (certificates of the authorities that the server's may come from), {KEYS} (instead of --keys),
KUBECONFIG and {SYSTEM} (in a cluster: which one, unless it is the pod's own, and where its controller is).
Exit codes: 0 done, 10 wrong usage, 13 a key is missing, 51 told to stop, 68 the server does not accept these keys."""
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZES: Final = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(int(Reason.Usage), f"{self.prog}: {message}\n")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Exits with code 10 (Usage) when wrong."""
    options = _parser().parse_args(arguments)
    if options.command == "serve" and options.keys is None:
        _parser().error(f"serve: needs --keys DIR, or {KEYS}")
    return options


def _parser() -> _Parser:
    parser = _Parser(prog="sympozium-bus-auth", description=__doc__, epilog=EPILOG)
    parser.description = "Says who may publish and subscribe to what on the bus, and makes readers of runs."
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    _serve(commands.add_parser("serve", help="answer the server's questions", epilog=EPILOG))
    keys = commands.add_parser(
        "keys", help="make the keys, or take those that are there, and print the server's configuration"
    )
    where = keys.add_mutually_exclusive_group(required=True)
    where.add_argument("folder", type=Path, nargs="?", metavar="DIR", help="made if need be; nothing is overwritten")
    where.add_argument(
        "--into-secrets",
        nargs="?",
        const=os.environ.get(SYSTEM) or SYSTEM_NAMESPACE,
        metavar="NAMESPACE",
        help=f"into Secrets of a cluster instead, with certificates of the server (default {SYSTEM_NAMESPACE})",
    )
    keys.add_argument(
        "--names", nargs="+", default=[], metavar="NAME", help="further names or addresses of the server, for those"
    )
    _token(commands.add_parser("token", help="mint a token by hand, and print it"))
    return parser


def _serve(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    folder = os.environ.get(KEYS)
    option("--keys", type=Path, metavar="DIR", default=Path(folder) if folder else None, help="as `keys` made them")
    option("--age", type=duration, default=30 * 86400.0, metavar="TIME", help="keep messages so long (default 30d)")
    option("--size", type=size, default=10 << 30, metavar="BYTES", help="of the stream (default 10GiB); 0: no limit")
    option("--replicas", type=int, default=1, choices=(1, 3, 5), help="of the stream (default 1)")
    option(
        "--ended-grace",
        type=duration,
        default=600.0,
        metavar="TIME",
        help="let a run's gate in for so long after the run's result (default 10m)",
    )
    option("--cluster", action="store_true", help="ask a cluster too who somebody is; no token.pub is needed then")
    option("--ready", type=Path, metavar="FILE", help="is there while this program answers, for health checks")
    option(
        "--connections",
        type=_positive,
        default=16,
        metavar="N",
        help="that a run, a person or a service may have at a time (default 16)",
    )


def _token(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="the token.key that `keys` made")
    parser.add_argument("--lasts", type=duration, default=86400.0, metavar="TIME", help="such as 8h (default 1d)")
    roles = parser.add_subparsers(dest="role", required=True, metavar="ROLE", parser_class=_Parser)
    person = roles.add_parser("person", help="somebody who reads runs, answers, sends, cancels")
    person.add_argument("name")
    person.add_argument("--runs", nargs="+", default=["*"], metavar="RUN", help="(default: all)")
    verbs = ("answer", "send", "cancel", "get")
    person.add_argument("--verbs", nargs="+", default=["get"], choices=verbs, help="(default: get, which is to read)")
    service = roles.add_parser("service", help="a participant that answers from elsewhere")
    service.add_argument("service", metavar="SERVICE")
    service.add_argument("--participant", default="", help="its name in the runs (default: the service's)")
    launcher = roles.add_parser("launcher", help="who makes pods")
    launcher.add_argument("name")
    run = roles.add_parser("run", help="the bridge of one run")
    run.add_argument("namespace")
    run.add_argument("run")
    for of_many in (person, service, launcher):
        of_many.add_argument("--namespaces", nargs="+", default=["default"], metavar="NAMESPACE", help="*: all")


def duration(text: str) -> float:
    """Seconds: a number with s, m, h or d."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if not found:
        raise argparse.ArgumentTypeError("must be a time such as 90s, 8h or 30d")
    return float(found[1]) * _UNITS[found[2]]


def size(text: str) -> int:
    """Bytes: a number, or one with KiB, MiB, GiB or TiB."""
    found = re.fullmatch(r"([0-9]{1,18})([KMGT]iB|)", text)
    if not found:
        raise argparse.ArgumentTypeError("must be a size such as 500MiB or 10GiB")
    return int(found[1]) * _SIZES[found[2]]


def _positive(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text):
        raise argparse.ArgumentTypeError("must be 1 or more")
    return int(text)
