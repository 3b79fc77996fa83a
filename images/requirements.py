"""Print what packages of the workspace need from outside it: ``requirements.py WORKSPACE NAME...``

A name is a package's directory in the workspace. Packages of ours that these need are followed.
"""

import re
import sys
import tomllib
from pathlib import Path


def projects(workspace: Path) -> dict[str, list[str]]:
    """Every package of ours by name, with its dependencies."""
    found = {}
    for file in [*workspace.glob("*/pyproject.toml"), *workspace.glob("*/*/pyproject.toml")]:
        project = tomllib.loads(file.read_text()).get("project")
        if project:
            found[project["name"]] = project.get("dependencies", [])
    return found


def closure(ours: dict[str, list[str]], wanted: list[str]) -> tuple[list[str], list[str]]:
    """Packages of ours, and requirements from outside, that ``wanted`` (names) need."""
    inside: dict[str, None] = {}
    outside: set[str] = set()
    todo = list(wanted)
    while todo:
        name = todo.pop(0)
        if name in inside:
            continue
        inside[name] = None
        for dependency in ours[name]:
            other = re.split(r"[^A-Za-z0-9._-]", dependency)[0]
            if other in ours:
                todo.append(other)
            else:
                outside.add(dependency)
    return list(inside), sorted(outside)


if __name__ == "__main__":
    kind, workspace, *names = sys.argv[1:]
    inside, outside = closure(projects(Path(workspace)), names)
    print("\n".join(inside if kind == "--ours" else outside))
