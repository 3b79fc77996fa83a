"""docs/writing-skills.md is followed line by line: its files are written, its commands run, its output compared."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.packs.examples import IMAGES
from tests.pod.play import SYMPOZIUM
from tests.support.engine import need_images

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/writing-skills.md"
PIECE = re.compile(r"(?:^`([^`\n]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A block, with the name of the file that it is, if the line before says one."""


def pieces() -> Iterator[tuple[str, str, str]]:
    for found in PIECE.finditer(PAGE.read_text()):
        yield found[1] or "", found[2], found[3]


def in_containers(text: str) -> bool:
    return text.startswith("make ") or "--on compose" in text


def shell(text: str, where: Path, state: Path | None = None) -> subprocess.CompletedProcess[str]:
    path = f"{SYMPOZIUM.parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", text],
        cwd=where,
        env={**os.environ, "PATH": path, "XDG_STATE_HOME": str(state or where / "state")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_reader_who_does_what_the_page_says_sees_what_it_says(tmp_path: Path) -> None:
    output, commands, compared = "", 0, 0
    for file, language, text in pieces():
        if file:
            (tmp_path / file).write_text(text)
        elif language == "text":
            assert output == text
            compared += 1
        elif language == "sh" and not in_containers(text):
            done = shell(text, tmp_path)
            output, commands = done.stdout, commands + 1
            assert done.returncode in (0, 14), done.stderr
            assert (done.returncode == 14) is ("error" in output), output
    assert (commands, compared) == (6, 1)
    assert output.splitlines() == ["Its outcome was denied.", "Its outcome was ok."]


def test_the_packs_own_image_is_made_and_runs_as_the_page_says(tmp_path: Path) -> None:
    need_images("agent", "ipc-bridge", "model")
    make, run = (text for _, language, text in pieces() if language == "sh" and in_containers(text))
    done = shell(make, ROOT)
    assert done.returncode == 0, done.stderr
    for file, language, text in pieces():
        if file:
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_text(text)
        elif language == "sh" and not in_containers(text) and "sympozium run" not in text:
            shell(text, tmp_path)
    done = shell(run, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Its outcome was ok.\n"


def test_the_image_that_the_page_begins_with_is_one_of_ours() -> None:
    bake = (ROOT / "docker-bake.hcl").read_text()
    default = dict(re.findall(r'variable "(\w+)" \{ default = "([^"]*)"', bake))
    (dockerfile,) = (text for _, language, text in pieces() if language == "dockerfile")
    assert dockerfile.startswith(f"FROM {default['REGISTRY']}/skill-shell:{default['TAG']}\n")


def test_the_images_have_what_their_packs_call() -> None:
    bake = (ROOT / "docker-bake.hcl").read_text()
    for pack, programs in IMAGES.items():
        found = re.search(rf'name\s+= "{pack}"(.*?)\}}', bake, re.DOTALL)
        assert found is not None
        named = " ".join(re.findall(r'"([^"]+)"', found[1].partition("binaries")[2]))
        assert set(programs) <= set(named.split())
