"""Take out of a copied standard library what no program of ours needs, and compile the rest: ``trim.py ROOT``."""

import compileall
import shutil
import sys
import sysconfig
from pathlib import Path

NOT_NEEDED = (
    "test",
    "idlelib",
    "ensurepip",
    "tkinter",
    "turtledemo",
    "pydoc_data",
    "site-packages",
    "dist-packages",
    "config-*",
    "EXTERNALLY-MANAGED",
    "lib-dynload/_test*",
    "lib-dynload/_ctypes_test*",
    "lib-dynload/xx*",
    "lib-dynload/_dbm*",
    "lib-dynload/_gdbm*",
    "lib-dynload/_tkinter*",
)
UNCHECKED = compileall.py_compile.PycInvalidationMode.UNCHECKED_HASH  # type: ignore[attr-defined]


def main(root: Path) -> None:
    stdlib = root / sysconfig.get_path("stdlib").lstrip("/")
    for pattern in ("**/__pycache__", *NOT_NEEDED):
        for path in list(stdlib.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    for file in stdlib.rglob("*"):
        if file.is_file() and ".so" not in file.name:
            file.chmod(0o644)  # some are scripts as well; here nothing starts them
    compileall.compile_dir(stdlib, quiet=2, stripdir=str(root), invalidation_mode=UNCHECKED)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
