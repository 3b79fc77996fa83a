"""``sympozium-bridge``: the gate of one run."""

# the collector finds nothing to free while modules load, and costs a tenth of the start
import gc

gc.disable()

import argparse  # noqa: E402

from sympozium_bridge.program import serve_gate  # noqa: E402
from sympozium_protocol.process import Settings, run  # noqa: E402


def main() -> None:
    """Parse nothing but --help; the settings come from the environment, the rest from run.json."""
    parser = argparse.ArgumentParser(
        prog="sympozium-bridge",
        description="The gate of one run: reads each call once, judges it, asks a person if it must, writes verdicts.",
        epilog="Environment: SYMPOZIUM_IPC (default /ipc), SYMPOZIUM_RUN_DIGEST (refuse another run.json), "
        "SYMPOZIUM_BUS, SYMPOZIUM_BUS_TOKEN_FILE, SYMPOZIUM_BUS_CA_FILE (publish the run there), "
        "SYMPOZIUM_PARENT (end with this process).",
    )
    parser.parse_args()
    gc.enable()
    gc.freeze()
    raise SystemExit(run(lambda: serve_gate(Settings.from_environment())))


if __name__ == "__main__":
    main()
