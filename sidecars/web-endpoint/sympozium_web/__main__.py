"""``sympozium-web``: agents behind HTTP."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
from pathlib import Path
from typing import NoReturn

from sympozium_protocol.exits import Ended, Reason
from sympozium_web.settings import KEEP, MAX_BODY, MAX_RUNS, Settings

TOKEN = "SYMPOZIUM_WEB_TOKEN"  # noqa: S105  the variable's name
EPILOG = f"""Every request but GET /healthz must present the token: Authorization: Bearer TOKEN. Without
--token-file and {TOKEN} one is made, and said once on standard error when the server listens.
Exit codes: 0 told to stop, 10-19 the documents or options cannot be used (as of sympozium run)."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(int(Reason.Usage), f"error: command line: {message}\n")


def _parser() -> _Parser:
    parser = _Parser(
        prog="sympozium serve-agent",
        description="Serves the agents of FILE over HTTP: /v1/chat/completions and /v1/models as OpenAI's clients "
        "speak it, and /mcp. Each request is one run, which sympozium runs list shows.",
        epilog=EPILOG,
    )
    option = parser.add_argument
    option("-f", "--file", action="append", required=True, metavar="FILE", help="objects in YAML; may be repeated")
    option(
        "--instance",
        default="",
        metavar="NAME",
        help="serve this instance alone, as NAME or NAMESPACE/NAME (default: all)",
    )
    option("--host", default="127.0.0.1", help="address to listen at (default 127.0.0.1)")
    option("--port", type=_port, default=8080, help="port to listen at; 0: any that is free (default 8080)")
    option("--token-file", type=Path, metavar="FILE", help=f"holds the bearer token (default: ${TOKEN})")
    option("--max-runs", type=_positive, default=MAX_RUNS, metavar="N", help=f"runs at once (default {MAX_RUNS})")
    option("--max-body", type=_positive, default=MAX_BODY, metavar="BYTES", help=f"of a request (default {MAX_BODY})")
    option("--keep", type=_positive, default=KEEP, metavar="N", help=f"runs kept on the disk (default {KEEP})")
    option(
        "--timeout", default="", metavar="TIME", help="of each run, such as 90s; never loosens the documents' limits"
    )
    option("--approve", choices=("none", "all"), default="none", help="who answers questions: nobody, or always yes")
    option("--expose-tools", action="store_true", help="offer the tools of the agents' skills at /mcp as well")
    option("--allowed-host", action="append", default=[], metavar="NAME", help="a further name that /mcp is reached by")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError("must be 0 to 65535")
    return value


def settings_of(words: list[str]) -> Settings:
    """Raises Ended (Usage); exits on wrong options."""
    said = _parser().parse_args(words)
    token = _token(said.token_file)
    return Settings(
        files=tuple(said.file),
        token=token or secrets.token_urlsafe(32),
        token_made=not token,
        instance=said.instance,
        host=said.host,
        port=said.port,
        max_runs=said.max_runs,
        max_body=said.max_body,
        keep=said.keep,
        approve=said.approve,
        timeout=said.timeout,
        expose_tools=said.expose_tools,
        allowed_hosts=tuple(said.allowed_host),
    )


def _token(file: Path | None) -> str:
    """The bearer token that was given; empty when none was. Raises Ended (Usage)."""
    try:
        token = file.read_text(encoding="utf-8").strip() if file else os.environ.get(TOKEN, "")
    except (OSError, UnicodeDecodeError) as error:
        raise Ended(Reason.Usage, f"{file}: {getattr(error, 'strerror', None) or 'is not UTF-8'}".lower()) from None
    if file and not token:
        raise Ended(Reason.Usage, f"{file}: is empty")
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise Ended(Reason.Usage, f"{file or TOKEN}: a token has printable ASCII characters without blanks")
    return token


def main() -> None:
    try:
        settings = settings_of(sys.argv[1:])
        from sympozium_web.program import serve  # after the options: --help needs no server

        asyncio.run(serve(settings))
    except Ended as ended:
        sys.stderr.write(f"error: {ended.message}\n")
        raise SystemExit(int(ended.reason)) from None
    except KeyboardInterrupt:
        raise SystemExit(0) from None


if __name__ == "__main__":
    main()
