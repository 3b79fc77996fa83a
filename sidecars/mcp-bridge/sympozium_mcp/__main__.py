"""``sympozium-mcp``: the MCP servers of one run."""

# the collector finds nothing to free while modules load, and costs a tenth of the start
import gc

gc.disable()

import argparse  # noqa: E402
from pathlib import Path  # noqa: E402

from sympozium_mcp.program import list_servers, serve_servers  # noqa: E402
from sympozium_protocol.process import Settings, run  # noqa: E402


def main() -> None:
    """Parse --list and --help; the settings come from the environment, the rest from run.json."""
    parser = argparse.ArgumentParser(
        prog="sympozium-mcp",
        description="Starts or reaches the MCP servers of a run, and offers what they have as tools.",
        epilog="Environment: SYMPOZIUM_IPC (default /ipc), SYMPOZIUM_PARTICIPANT (default mcp), SYMPOZIUM_RUN_DIGEST "
        "(refuse another run.json), SYMPOZIUM_PARENT (end with this process), HTTP_PROXY, HTTPS_PROXY, NO_PROXY, and "
        "the variables that the servers' `secrets` name.",
    )
    parser.add_argument(
        "--list", type=Path, metavar="RUN.JSON", help="start the servers of this run.json, print their tools, and end"
    )
    arguments = parser.parse_args()
    gc.enable()
    gc.freeze()
    raise SystemExit(run(lambda: list_servers(arguments.list) if arguments.list else serve_servers(_settings())))


def _settings() -> Settings:
    return Settings.from_environment("mcp")


if __name__ == "__main__":
    main()
