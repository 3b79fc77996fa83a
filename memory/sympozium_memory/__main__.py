"""``sympozium-memory``: serves an instance's memory to its runs; and shows it to people."""

# the collector finds nothing to free while modules load, and costs a tenth of the start
import gc

gc.disable()

import ctypes  # noqa: E402
import sys  # noqa: E402

# One heap for all threads: each of its own keeps what it has freed, 2 MiB in all. (mallopt(3), M_ARENA_MAX)
ctypes.CDLL(None).mallopt(-8, 1)
# But for the bus nothing here speaks TLS, and Python has a SHA-256 of its own: without OpenSSL's the program is
# 5 MiB smaller
if not any(word.startswith("--b") for word in sys.argv):
    for _unneeded in ("ssl", "_hashlib"):
        sys.modules.setdefault(_unneeded, None)  # type: ignore[arg-type]

from sympozium_memory.commandline import parse  # noqa: E402


def main() -> None:
    """Without a subcommand it serves: that is how a pod starts it."""
    options = parse(sys.argv[1:])
    if options.command != "serve":
        gc.enable()
        from sympozium_memory.commands import perform

        raise SystemExit(perform(options))

    from sympozium_memory.program import serve_memory, serve_memory_on_bus
    from sympozium_protocol.process import Settings, run

    gc.enable()
    gc.freeze()
    if options.bus:
        raise SystemExit(run(lambda: serve_memory_on_bus(options.file, options.service, options.namespace)))
    raise SystemExit(run(lambda: serve_memory(options.file, Settings.from_environment("memory"), options.ipc)))


if __name__ == "__main__":
    main()
