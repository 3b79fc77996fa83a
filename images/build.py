"""Lay our packages out as the images have them: ``build.py WORKSPACE OUT``.

One process builds and compiles each package once, and links it into the root of every program that needs it:

    OUT/PROGRAM/     a root: packages where the interpreter finds them, console scripts, `program`
    OUT/wanted/      PROGRAM.txt: what that program's packages need from outside

A change of one package leaves the roots of programs without it as they were, byte for byte, so the layers of their
images stay.
"""

import compileall
import os
import shutil
import site
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder
from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile
from requirements import Project, closure, projects

SITE = site.getsitepackages()[0]
SCRIPTS = "/usr/local/bin"
# by content and never looked at again: the files cannot change, and their times are all the same
UNCHECKED = compileall.py_compile.PycInvalidationMode.UNCHECKED_HASH  # type: ignore[attr-defined]


def package(project: Project, root: Path) -> None:
    """Build and install one package below ``root``, compiled."""
    wheel = next(WheelBuilder(str(project.directory)).build(directory=f"{root}.wheel", versions=["standard"]))
    schemes = {"purelib": SITE, "platlib": SITE, "scripts": SCRIPTS, "data": "/usr/local", "headers": "/usr/include"}
    destination = SchemeDictionaryDestination(
        schemes, interpreter=f"{SCRIPTS}/python3", script_kind="posix", destdir=str(root)
    )
    with WheelFile.open(wheel) as source:
        install(source, destination, additional_metadata={"INSTALLER": b"sympozium\n"})
    compileall.compile_dir(f"{root}{SITE}", quiet=2, stripdir=str(root), invalidation_mode=UNCHECKED)


def program(root: Path, packages: Iterable[Path], command: str) -> None:
    """One program's root: links to the files of its packages, and ``program``, which is its console script."""
    for one in packages:
        shutil.copytree(one, root, copy_function=os.link, dirs_exist_ok=True)
    (root / SCRIPTS.lstrip("/") / "program").symlink_to(command)


def main(workspace: Path, out: Path) -> None:
    ours = projects(workspace)
    built: set[str] = set()
    (out / "wanted").mkdir(parents=True)
    for name, image in tomllib.loads((workspace / "images/programs.toml").read_text()).items():
        inside, outside = closure(ours, image["packages"])
        for one in inside:
            if one not in built:
                package(ours[one], out / ".packages" / one)
                built.add(one)
        program(out / name, [out / ".packages" / one for one in inside], image["command"])
        (out / "wanted" / f"{name}.txt").write_text("".join(f"{line}\n" for line in outside))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
