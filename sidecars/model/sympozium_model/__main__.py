"""``sympozium-model``: the model gateway of one run, or of every run on a bus."""

# the collector finds nothing to free while modules load, and costs a tenth of the start
import gc

gc.disable()

from sympozium_model.commandline import parse  # noqa: E402
from sympozium_model.program import serve_model  # noqa: E402
from sympozium_protocol.process import Settings, run  # noqa: E402


def main() -> None:
    """Without options the settings come from the environment, and the rest from run.json."""
    options = parse()
    gc.enable()
    gc.freeze()
    if options.bus:
        from sympozium_model.elsewhere import serve_options

        raise SystemExit(run(lambda: serve_options(options)))
    raise SystemExit(run(lambda: serve_model(Settings.from_environment("model"))))


if __name__ == "__main__":
    main()
