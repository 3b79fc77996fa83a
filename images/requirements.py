"""What packages of the workspace need: ``requirements.py WORKSPACE NAME...`` prints what comes from outside it.

Packages of ours that these need are followed. Without a name: of all packages, with the extras that images take.
"""

import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Project:
    """One package of ours: where it is, and its dependencies as it states them."""

    directory: Path
    dependencies: tuple[str, ...]
    extras: dict[str, tuple[str, ...]]


def projects(workspace: Path) -> dict[str, Project]:
    """Every package of ours, by name."""
    found = {}
    for file in sorted([*workspace.glob("*/pyproject.toml"), *workspace.glob("*/*/pyproject.toml")]):
        project = tomllib.loads(file.read_text()).get("project")
        if project:
            extras = {name: tuple(needed) for name, needed in project.get("optional-dependencies", {}).items()}
            found[project["name"]] = Project(file.parent, tuple(project.get("dependencies", [])), extras)
    return found


def closure(ours: dict[str, Project], wanted: list[str]) -> tuple[list[str], list[str]]:
    """Packages of ours, and requirements from outside, that ``wanted`` (names, with extras) need; both sorted."""
    inside: set[str] = set()
    outside: set[str] = set()
    todo, seen = list(wanted), set[str]()
    while todo:
        needed = todo.pop()
        if needed in seen:
            continue
        seen.add(needed)
        name, extras = _split(needed)
        if name not in ours:
            outside.add(needed)
            continue
        inside.add(name)
        todo += [*ours[name].dependencies, *(line for extra in extras for line in ours[name].extras[extra])]
    return sorted(inside), sorted(outside)


def _split(requirement: str) -> tuple[str, list[str]]:
    """The name and the extras."""
    name, extras = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[([^]]*)\])?.*", requirement, re.DOTALL).groups()  # type: ignore[union-attr]
    return name, [extra.strip() for extra in (extras or "").split(",") if extra.strip()]


def _all(workspace: Path, ours: dict[str, Project]) -> list[str]:
    images = tomllib.loads((workspace / "images/programs.toml").read_text()).values()
    return [*ours, *(name for image in images for name in image["packages"])]


if __name__ == "__main__":
    workspace, *names = sys.argv[1:]
    every = projects(Path(workspace))
    print("\n".join(closure(every, names or _all(Path(workspace), every))[1]))
