"""``sympozium-model``: the model gateway of one run."""

# the collector finds nothing to free while modules load, and costs a tenth of the start
import gc

gc.disable()

import argparse  # noqa: E402

from sympozium_model.program import serve_model  # noqa: E402
from sympozium_protocol.process import Settings, run  # noqa: E402


def main() -> None:
    """Parse nothing but --help; the settings come from the environment, the rest from run.json."""
    parser = argparse.ArgumentParser(
        prog="sympozium-model",
        description="The model gateway of one run: answers its `complete` calls.",
        epilog="Environment: SYMPOZIUM_IPC (default /ipc), SYMPOZIUM_PARTICIPANT (default model), "
        "SYMPOZIUM_RUN_DIGEST, SYMPOZIUM_PARENT; the provider's key: OPENAI_API_KEY, "
        "AZURE_OPENAI_API_KEY, ANTHROPIC_API_KEY, AWS_*.",
    )
    parser.parse_args()
    gc.enable()
    gc.freeze()
    raise SystemExit(run(lambda: serve_model(Settings.from_environment("model"))))


if __name__ == "__main__":
    main()
