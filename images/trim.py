"""Take out of an interpreter's root what no program of ours needs, compile the rest, and fix all times."""

import compileall
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

NOT_NEEDED = (
    "test",
    "idlelib",
    "ensurepip",
    "tkinter",
    "turtledemo",
    "lib2to3",
    "pydoc_data",
    "site-packages",
    "dist-packages",
)


def main(root: Path) -> None:
    stdlib = root / sysconfig.get_path("stdlib").lstrip("/")
    for name in NOT_NEEDED:
        shutil.rmtree(stdlib / name, ignore_errors=True)
    for config in stdlib.glob("config-*"):
        shutil.rmtree(config)
    for cache in stdlib.rglob("__pycache__"):
        shutil.rmtree(cache)
    mode = compileall.py_compile.PycInvalidationMode.UNCHECKED_HASH  # type: ignore[attr-defined]
    compileall.compile_dir(stdlib, quiet=2, workers=0, stripdir=str(root), invalidation_mode=mode)
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "0")
    subprocess.run(["find", str(root), "-exec", "touch", "-h", "-d", f"@{epoch}", "{}", "+"], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
