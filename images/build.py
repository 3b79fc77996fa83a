"""Build packages of the workspace as wheels, all in one process: ``build.py OUT DIRECTORY...``"""

import sys
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

out, *packages = sys.argv[1:]
Path(out).mkdir(parents=True, exist_ok=True)
for package in packages:
    next(WheelBuilder(package).build(directory=out, versions=["standard"]))
