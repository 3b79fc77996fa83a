"""README and examples say only what is so: every command in them that needs no key is run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic.alias_generators import to_camel

from sympozium_controller.documents import parse
from sympozium_controller.objects import AgentRun, MCPServer, SkillPack, SympoziumInstance, SympoziumPolicy

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXPECTED = {"04-limits": 42}
"""Exit codes of examples that show how a run is ended."""
NEEDS = {"08-mcp-server": ("npx",)}


def commands(document: Path) -> Iterator[str]:
    """The command lines of a document's sh blocks."""
    for block in BLOCK.findall(document.read_text()):
        yield from (line.strip() for line in block.splitlines() if line.strip() and not line.startswith("#"))


def environment(path: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "XDG_STATE_HOME": str(path)}


def run(command: str, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env=environment(path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


SERVED = ROOT / "examples" / "09-served"
EXAMPLES = sorted(p for p in (ROOT / "examples").glob("0*") if p.is_dir() and p != SERVED)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_example_runs_as_its_readme_says(example: Path, tmp_path: Path) -> None:
    if missing := [program for program in NEEDS.get(example.name, ()) if not shutil.which(program)]:
        pytest.skip(f"{' and '.join(missing)}: is not on this machine")
    for command in commands(example / "README.md"):
        assert command.startswith(("sympozium run ", "sympozium memory "))
        done = run(command.split(";")[0], tmp_path)
        assert done.returncode == EXPECTED.get(example.name, 0), done.stderr
        if done.returncode == 0:
            assert done.stdout.strip()


def test_every_field_of_the_documents_is_told_and_is_so() -> None:
    text = (ROOT / "docs/documents.md").read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    objects = parse([(f"block {number}", block) for number, block in enumerate(blocks, 1)])
    for model in (SympoziumInstance, AgentRun, SympoziumPolicy, SkillPack, MCPServer):
        (found,) = objects.all(model)
        for name, field in type(found.spec).model_fields.items():
            assert f"{field.alias or to_camel(name)}" in text, f"{model.__name__}: {name} is not told"


def test_the_served_example_answers_as_its_readme_says(tmp_path: Path) -> None:
    export, serve, *asks = commands(SERVED / "README.md")
    with run_beside(f"{export}; exec {serve.replace('8080', '0')}", tmp_path) as server:
        assert server.stderr is not None
        port = re.search(r"127\.0\.0\.1:(\d+)/v1", server.stderr.readline().decode())
        assert port is not None
        answers = [run(ask.replace("8080", port[1]), tmp_path) for ask in asks]
    assert [answer.returncode for answer in answers] == [0, 0]
    assert '"id":"disk-watch"' in answers[0].stdout
    assert "You asked: Is there room?" in answers[1].stdout


@contextmanager
def run_beside(command: str, path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command that goes on until it is told to stop."""
    process = subprocess.Popen(
        ["bash", "-c", command], cwd=ROOT, env=environment(path), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_the_readme_runs_what_needs_no_key(tmp_path: Path) -> None:
    wanted = [c for c in commands(ROOT / "README.md") if runs_here(c)]
    assert len(wanted) >= 3
    for command in wanted:
        done = run(command.replace(".venv/bin/", ""), tmp_path)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def runs_here(command: str) -> bool:
    """Neither what needs a key, a server, an engine (tests/compose) or a cluster (tests/cluster), nor placeholders, nor
    make, which runs these."""
    words = shlex.split(command, comments=True)
    if (
        words[0] in ("make", "export")
        or "RUN" in words
        or "--provider" in words
        or "--mcp" in words
        or "serve-agent" in words
        or {"--on", "--bus", "render", "install", "uninstall"} & set(words)
    ):
        return False
    return words[0].startswith(".venv/bin/")


def test_the_sidecar_in_the_readme_is_the_one_that_is_tested() -> None:
    script = (ROOT / "examples/bash-sidecar/sidecar.sh").read_text()
    assert f"```bash\n{script}```" in (ROOT / "README.md").read_text()


DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "*/README.md", "*/*/README.md", "docs/**/*.md")
    for path in ROOT.glob(pattern)
    if ".venv" not in path.parts
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_make_help_lists_every_target_that_the_readme_names() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in re.findall(r"make ([a-z]+)", (ROOT / "README.md").read_text()):
        assert f"make {target}" in listed
