"""A pack's example.yaml, played as a user would: the shipped document, with this machine's servers put in."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import jsonschema_rs
import pytest
import sympozium_packs

from sympozium_skill.pack import Sidecar, load_pack
from sympozium_skill.template import fill_argv, fill_stdin
from tests.pod.play import SYMPOZIUM, Play, Run

PACKS = Path(sympozium_packs.__file__).parent
SHIPPED = sorted(file.parent for file in PACKS.glob("*/pack.yaml"))
IMAGES = {
    "k8s-ops": ("sh", "kubectl", "curl", "jq"),
    "helm": ("sh", "helm", "kubectl", "jq"),
    "llmfit": ("sh", "llmfit", "kubectl", "jq"),
    "sre-observability": ("sh", "curl", "jq", "kubectl"),
    "github-gitops": ("sh", "git", "curl", "jq"),
}
"""The programs of each pack's image, as its README says: a tool finds no others."""


def needs(*programs: str) -> None:
    """Skip the test where one of them is not there."""
    if missing := _missing(programs):
        pytest.skip(f"{' and '.join(missing)}: not on this machine; the pack's image has it")


def went_well(run: Run) -> None:
    assert run.code == 0, run.err + run.out
    assert [answer.outcome for answer in run.answers] == ["ok"] * len(run.answers), run.out


def play_example(
    pack: str,
    path: Path,
    put: Mapping[str, str] | None = None,
    *,
    on: str = "processes",
    more: str = "",
    **env: str,
) -> Run:
    """Run the example of a pack below ``path``; ``put``: what stands in it, and what to put for it.

    ``more``: further documents.
    """
    text = (PACKS / pack / "example.yaml").read_text()
    for old, new in (put or {}).items():
        assert old in text
        text = text.replace(old, new)
    file = path / "example.yaml"
    file.write_text(f"{text}---\n{more}" if more else text)
    command = [str(SYMPOZIUM), "run", "-f", str(file), "--approve", "none", "--dir", str(path / "run"), "--quiet"]
    command += ["--on", on]
    return Play(path).do(command, **env)


def call_tool(
    pack: str, tool: str, workspace: Path, env: Mapping[str, str], *, checked: bool = True, **arguments: object
) -> subprocess.CompletedProcess[str]:
    """One declared tool, started as the sidecar starts it: its argv, its stdin, an environment of its own.

    ``checked``: only with arguments that its schema takes, as in a run.
    """
    declared = next(found for found in _sidecar(pack).tools if found.name == tool)
    if checked:
        jsonschema_rs.validate(declared.parameters, arguments)
    tmp = workspace.parent / "tmp"
    tmp.mkdir(exist_ok=True)
    workspace.mkdir(exist_ok=True)
    programs = _programs(workspace.parent / "programs", IMAGES[pack])
    own = {"HOME": str(tmp), "TMPDIR": str(tmp), "LANG": "C.UTF-8", **env}
    argv = fill_argv(declared.argv, declared.parameters, arguments)
    here = not _missing(IMAGES[pack])
    return subprocess.run(
        argv if here else _in_image(pack, argv, workspace, own),
        cwd=workspace,
        env={"PATH": str(programs), **own} if here else None,
        input=fill_stdin(declared.stdin, arguments).decode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


def needs_tools_of(pack: str) -> None:
    """Skip the test where neither the machine has what the pack's tools call, nor an engine the pack's image."""
    missing = _missing(IMAGES[pack])
    if missing and not docker("image", "inspect", image_of(pack)):
        pytest.skip(f"{' and '.join(missing)}: not on this machine, and {image_of(pack)} is not built")


def _missing(programs: Iterable[str]) -> list[str]:
    return [program for program in programs if shutil.which(program) is None]


def image_of(name: str) -> str:
    return f"sympozium/skill-{name}:dev"


def docker(*words: str) -> str:
    """What the engine says; nothing if it does not answer."""
    try:
        done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=30, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _in_image(pack: str, argv: list[str], workspace: Path, env: Mapping[str, str]) -> list[str]:
    """The same in the pack's image, where this test's files are as well."""
    place, named = str(workspace.parent), [word for item in env.items() for word in ("--env", "=".join(item))]
    options = ["--rm", "--interactive", "--read-only", "--network=host", "--user=0:0", f"--volume={place}:{place}"]
    start = [f"--workdir={workspace}", f"--entrypoint={argv[0]}", image_of(pack), *argv[1:]]
    return ["docker", "run", *options, *named, *start]


def _programs(directory: Path, names: Iterable[str]) -> Path:
    """A PATH that has these programs of the machine's, those that are there, and no others."""
    directory.mkdir(exist_ok=True)
    for name in names:
        link, found = directory / name, shutil.which(name)
        if found and not link.exists():
            link.symlink_to(Path(found).resolve())
    return directory


def _sidecar(pack: str) -> Sidecar:
    found = load_pack(PACKS / pack).sidecar
    assert found is not None
    return found
