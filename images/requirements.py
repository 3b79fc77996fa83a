"""What packages of the workspace need: ``requirements.py WORKSPACE NAME...`` prints what comes from outside it.

Packages of ours that these need are followed. Without a name: of all packages.
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


def projects(workspace: Path) -> dict[str, Project]:
    """Every package of ours, by name."""
    found = {}
    for file in sorted([*workspace.glob("*/pyproject.toml"), *workspace.glob("*/*/pyproject.toml")]):
        project = tomllib.loads(file.read_text()).get("project")
        if project:
            found[project["name"]] = Project(file.parent, tuple(project.get("dependencies", [])))
    return found


def closure(ours: dict[str, Project], wanted: list[str]) -> tuple[list[str], list[str]]:
    """Packages of ours, and requirements from outside, that ``wanted`` (names) need; both sorted."""
    inside: set[str] = set()
    outside: set[str] = set()
    todo = list(wanted)
    while todo:
        name = todo.pop()
        if name in inside:
            continue
        inside.add(name)
        for dependency in ours[name].dependencies:
            other = re.split(r"[^A-Za-z0-9._-]", dependency)[0]
            if other in ours:
                todo.append(other)
            else:
                outside.add(dependency)
    return sorted(inside), sorted(outside)


if __name__ == "__main__":
    workspace, *names = sys.argv[1:]
    every = projects(Path(workspace))
    print("\n".join(closure(every, names or list(every))[1]))
