"""Lay third-party packages out as the images have them: ``packages.py ALL WANTED OUT``.

``ALL`` is a directory into which every package of the lock was installed and compiled, once. Each ``PROGRAM.txt`` in
``WANTED`` names what that program's packages need; ``OUT/PROGRAM`` becomes a root with links to the files of those,
of what they need in turn, and of nothing else.
"""

import os
import site
import sys
from importlib.metadata import Distribution, distributions
from importlib.util import cache_from_source
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LEFT_OUT = frozenset({"pip"})
"""sqlite-utils asks for pip, for a command of its own by which people add to it. Nothing in an image installs."""
UNUSED = {
    "certifi": ("tests/",),
    "kubernetes": ("client/api/", "client/models/", "aio/client/api/", "aio/client/models/"),
}
"""Of a package: modules that it loads when somebody names them, and nobody here does; their folders' ``__init__.py``
stays. Of kubernetes these are 122 of 126 MB, generated: a class for each object of the API, where our programs have
plain dicts.
"""


def closure(found: dict[str, Distribution], wanted: list[str]) -> list[str]:
    """Names of the packages that ``wanted`` (requirements) need, with the extras that they ask for."""
    extras: dict[str, set[str]] = {}
    todo = [Requirement(line) for line in wanted]
    while todo:
        needed = todo.pop()
        name = canonicalize_name(needed.name)
        if name not in found or not needed.specifier.contains(found[name].version):
            raise SystemExit(f"constraints.txt has no {needed}: make images-lock")
        if name in extras and needed.extras <= extras[name]:
            continue
        extras[name] = extras.get(name, set()) | needed.extras
        for line in found[name].requires or ():
            other = Requirement(line)
            if other.name in LEFT_OUT:
                continue
            if other.marker is None or any(other.marker.evaluate({"extra": one}) for one in ("", *extras[name])):
                todo.append(other)
    return sorted(extras)


def link(package: Distribution, installed: Path, root: Path) -> None:
    """Link a package's modules, with their bytecode, and its data. Its console scripts stay behind."""
    unused = tuple(f"{package.name}/{folder}" for folder in UNUSED.get(package.name, ()))
    for file in package.files or ():
        if str(file).startswith(unused) and file.name != "__init__.py":
            continue
        for path in (file, Path(cache_from_source(str(file))) if file.suffix == ".py" else file):
            target = root / path
            if ".." in path.parts or target.exists() or not (installed / path).exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(installed / path, target)


def main(installed: Path, wanted: Path, out: Path) -> None:
    found = {canonicalize_name(one.metadata["Name"]): one for one in distributions(path=[str(installed)])}
    for file in sorted(wanted.iterdir()):
        root = out / file.stem / site.getsitepackages()[0].lstrip("/")
        root.mkdir(parents=True)
        for name in closure(found, file.read_text().splitlines()):
            link(found[name], installed, root)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
