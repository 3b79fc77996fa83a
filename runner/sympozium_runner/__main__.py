"""``sympozium-agent``: the agent's first process (first.py), which starts the agent."""

from __future__ import annotations

import sys

from sympozium_runner.first import first, program

HELP = """usage: sympozium-agent [--help]

The agent of one run. It works on the files of the ipc directory and takes no arguments.

environment:
  SYMPOZIUM_IPC         the ipc directory (default /ipc); the run is its run/run.json
  SYMPOZIUM_WORKSPACE   the shared directory of content (default /workspace)
  SYMPOZIUM_RUN_DIGEST  SHA-256 of run.json; another one is refused
  SYMPOZIUM_PARENT      a process id: end when this parent has gone
  SYMPOZIUM_ANSWER      stdout: print the answer at the end, for who reads no files
  SYMPOZIUM_TERMINATION_MESSAGE, SYMPOZIUM_TERMINATION_BYTES
                        a file for how the run ended and what fits of the answer
                        in so many bytes (default 4096), as Kubernetes reads it
  SYMPOZIUM_RUN_WITHIN  seconds to wait for run.json (default 0)
  SYMPOZIUM_INOTIFY     off: rescan only

Where the run offers no fetch_url the process and all that it starts have no network.
The exit code tells why the run ended; SIGTERM suspends it (51), and it can be resumed.
"""


def main() -> int:
    """Run the agent; its exit code."""
    if sys.argv[1:] in (["--help"], ["-h"]):
        sys.stdout.write(HELP)
        return 0
    if sys.argv[1:]:
        sys.stderr.write(f"sympozium-agent: takes no arguments, but was given {sys.argv[1]!r}\n")
        return 10
    return first(program)


if __name__ == "__main__":
    raise SystemExit(main())
