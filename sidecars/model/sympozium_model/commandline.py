"""The command line. In a pod there is none: what a run's gateway needs stands in run.json."""

from __future__ import annotations

import argparse
import sys
from typing import Final, NoReturn, get_args

from sympozium_protocol.exits import Reason
from sympozium_protocol.messages import ModelSpec

PROVIDERS: Final = get_args(ModelSpec.model_fields["provider"].annotation)

EPILOG: Final = """Environment in a pod: SYMPOZIUM_IPC (default /ipc), SYMPOZIUM_PARTICIPANT (default model),
SYMPOZIUM_RUN_DIGEST, SYMPOZIUM_PARENT. With --bus: SYMPOZIUM_BUS (nats://HOST:PORT), SYMPOZIUM_BUS_TOKEN_FILE,
SYMPOZIUM_BUS_CA_FILE. The provider's key: OPENAI_API_KEY, AZURE_OPENAI_API_KEY, ANTHROPIC_API_KEY, AWS_*."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(int(Reason.Usage), f"{self.prog}: {message}\n")


def parse() -> argparse.Namespace:
    """Exits with code 10 (Usage) when wrong."""
    parser = _Parser(
        prog="sympozium-model",
        description="The model gateway: answers the `complete` calls of one run, or of every run that calls on a bus.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--bus", action="store_true", help="serve on the bus that SYMPOZIUM_BUS names")
    bus = parser.add_argument_group("with --bus")
    bus.add_argument("--service", metavar="NAME", help="the name under which runs call it; of every copy the same")
    bus.add_argument("--provider", choices=PROVIDERS, help="the one that it speaks to")
    bus.add_argument("--base-url", default="", metavar="URL", help="where; a run that states another is turned away")
    bus.add_argument("--namespace", action="append", default=[], help="serve its runs alone; again for more")
    bus.add_argument(
        "--grace", type=float, default=20.0, metavar="SECONDS", help="to end calls at SIGTERM (default 20)"
    )
    options = parser.parse_args()
    if options.bus and not (options.service and options.provider):
        parser.error("--bus needs --service and --provider")
    if not options.bus and (options.service or options.provider or options.base_url or options.namespace):
        parser.error("what is given goes with --bus")
    return options
