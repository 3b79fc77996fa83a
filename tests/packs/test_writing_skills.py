"""docs/writing-skills.md is followed line by line: its files are written, its commands run, its output compared."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.packs.examples import IMAGES
from tests.pod.play import SYMPOZIUM

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/writing-skills.md"
PIECE = re.compile(r"(?:^`([^`\n]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A block, with the name of the file that it is, if the line before says one."""


def pieces() -> Iterator[tuple[str, str, str]]:
    for found in PIECE.finditer(PAGE.read_text()):
        yield found[1] or "", found[2], found[3]


def test_a_reader_who_does_what_the_page_says_sees_what_it_says(tmp_path: Path) -> None:
    env = {**os.environ, "PATH": f"{SYMPOZIUM.parent}:{os.environ['PATH']}", "XDG_STATE_HOME": str(tmp_path / "state")}
    output, commands, compared = "", 0, 0
    for file, language, text in pieces():
        if file:
            (tmp_path / file).write_text(text)
        elif language == "text":
            assert output == text
            compared += 1
        elif language == "sh" and not text.startswith("docker "):
            done = subprocess.run(
                ["bash", "-c", text],
                cwd=tmp_path,
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            output, commands = done.stdout, commands + 1
            assert done.returncode in (0, 14), done.stderr
            assert (done.returncode == 14) is ("error" in output), output
    assert (commands, compared) == (6, 1)
    assert output.splitlines() == ["Its outcome was denied.", "Its outcome was ok."]


def test_the_images_that_the_page_names_are_those_that_are_built() -> None:
    bake = (ROOT / "docker-bake.hcl").read_text()
    default = dict(re.findall(r'variable "(\w+)" \{ default = "([^"]*)"', bake))
    (build,) = (text for _, language, text in pieces() if language == "sh" and text.startswith("docker "))
    recipe = (ROOT / "images/Dockerfile").read_text()
    assert "--target skill " in build
    assert re.search(r"^FROM \S+ AS skill$", recipe, re.MULTILINE)
    for argument in re.findall(r"--build-arg (\w+)=", build):
        assert re.search(rf"^ARG {argument}\b", recipe, re.MULTILINE)
    (dockerfile,) = (text for _, language, text in pieces() if language == "dockerfile")
    assert dockerfile.startswith(f"FROM {default['REGISTRY']}/skill-shell:{default['TAG']}\n")


def test_the_images_have_what_their_packs_call() -> None:
    bake = (ROOT / "docker-bake.hcl").read_text()
    for pack, programs in IMAGES.items():
        found = re.search(rf'name\s+= "{pack}".*?binaries\s*= "([^"]+)"', bake, re.DOTALL)
        assert found is not None
        assert set(programs) <= set(found[1].split())
