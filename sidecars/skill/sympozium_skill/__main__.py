"""``sympozium-skill``: the sidecar of one skill."""

# the collector finds nothing to free while modules load, and costs a tenth of the start
import gc

gc.disable()

import argparse  # noqa: E402
import os  # noqa: E402
from pathlib import Path  # noqa: E402

from sympozium_protocol.exits import Reason  # noqa: E402
from sympozium_protocol.process import Settings, run  # noqa: E402
from sympozium_skill.program import serve_skill  # noqa: E402


def main() -> None:
    """Parse --pack and --help; the other settings come from the environment, the rest from run.json."""
    parser = argparse.ArgumentParser(
        prog="sympozium-skill",
        description="Runs what one SkillPack declares: execute_command and the pack's own tools.",
        epilog="Environment: SYMPOZIUM_PACK (as --pack), SYMPOZIUM_IPC (default /ipc), SYMPOZIUM_PARTICIPANT (the "
        "skill's name), SYMPOZIUM_WORKSPACE (default /workspace; commands start there), SYMPOZIUM_PASS (names of "
        "variables that commands are given, by commas or blanks), SYMPOZIUM_RUN_DIGEST (refuse another run.json), "
        "SYMPOZIUM_PARENT (end with this process).",
    )
    parser.add_argument("--pack", default=os.environ.get("SYMPOZIUM_PACK"), help="the directory that holds pack.yaml")
    arguments = parser.parse_args()
    if not arguments.pack:
        parser.exit(int(Reason.Usage), "--pack or SYMPOZIUM_PACK must name a directory that holds pack.yaml\n")
    gc.enable()
    gc.freeze()
    raise SystemExit(run(lambda: serve_skill(Settings.from_environment(), Path(arguments.pack))))


if __name__ == "__main__":
    main()
