"""Runs inside an image, as its user, and tells what is there as JSON. Imports the standard library alone."""

import importlib.metadata
import importlib.util
import json
import os
import site
import sysconfig
from pathlib import Path

ELSEWHERE = ("/proc", "/sys", "/dev", "/.dockerenv")  # the engine's
MODULES = (site.getsitepackages()[0], sysconfig.get_path("stdlib"))


def everything():
    """Each path of the image, with what lstat says of it."""
    for folder, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in ELSEWHERE]
        for name in [*folders, *files]:
            path = os.path.join(folder, name)
            if path not in ELSEWHERE:
                yield path, os.lstat(path)


def compiled(source):
    """Is there bytecode of a module that is loaded without a look at the module's own file?"""
    cache = Path(importlib.util.cache_from_source(source))
    return cache.exists() and cache.read_bytes()[4] == 1


paths = [(path, found) for path, found in everything()]
files = [(path, found) for path, found in paths if os.path.isfile(path) and not os.path.islink(path)]
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(
    json.dumps(
        {
            "ids": [os.getuid(), os.getgid(), *os.getgroups()],
            "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
            "executables": {p: found.st_size for p, found in files if found.st_mode & 0o111 and ".so" not in p},
            "privileged": [path for path, found in files if found.st_mode & 0o6000],
            "owned": [path for path, found in paths if found.st_uid == 1000 and not path.startswith("/proc")],
            "writable": [p for p, found in paths if found.st_mode & 0o002 and not os.path.islink(p)],
            "times": sorted({int(found.st_mtime) for path, found in files if path.startswith("/usr")}),
            "uncompiled": [
                path for path, _ in files if path.endswith(".py") and path.startswith(MODULES) and not compiled(path)
            ],
            "packages": {one.name: one.requires or [] for one in importlib.metadata.distributions()},
            "environment": dict(os.environ),
        }
    )
)
