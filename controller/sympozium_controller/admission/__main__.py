"""``python -m sympozium_controller.admission``: the admission of an installation as a program of its own.

The controller serves it as well; this is for seeing it work.
"""

from __future__ import annotations

import argparse
import inspect

from sympozium_controller.admission.server import Settings, serve_admission
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.login import login
from sympozium_protocol.process import run


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m sympozium_controller.admission",
        description="Serve the admission webhooks of Sympozium, at the API server of $KUBECONFIG or of the pod.",
        epilog=f"Settings: {inspect.getdoc(Settings)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args()
    raise SystemExit(run(_serve))


async def _serve() -> None:
    settings = Settings.from_environment()
    async with Client(await login()) as api:
        await serve_admission(api, settings)


if __name__ == "__main__":
    main()
