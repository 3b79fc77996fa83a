"""github-gitops proposes: a branch and a draft at a real repository, and the token is nowhere to be read."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packs.examples import call_tool, play_example
from tests.support.forge import REPOSITORY, Forge, forge

TOKEN = "a-token-of-this-repository-alone"
VALUES = "resources:\n  limits:\n    memory: 128Mi\n"
FILE = "charts/payments/values.yaml"
MESSAGE = "payments: less memory"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Forge]:
    with forge(tmp_path / "forge", TOKEN) as running:
        running.seed({FILE: VALUES, "README.md": "# Deployments\n"})
        yield running


class Bench:
    """The pack's tools over one workspace."""

    def __init__(self, path: Path, host: Forge) -> None:
        self.workspace = path / "workspace"
        self.tree = self.workspace / "repository"
        self.env = {
            "PARAM_REPOSITORY": REPOSITORY,
            "PARAM_BASE": "main",
            "PARAM_BRANCHPREFIX": "sympozium/",
            "PARAM_SERVERURL": host.url,
            "PARAM_APIURL": host.url,
            "GITHUB_TOKEN": TOKEN,
        }

    def __call__(self, tool: str, **arguments: object) -> tuple[bool, str]:
        done = call_tool("github-gitops", tool, self.workspace, self.env, **arguments)
        assert TOKEN not in done.stdout
        return done.returncode == 0, done.stdout

    def change(self, text: str) -> None:
        (self.tree / FILE).write_text(text)


@pytest.fixture
def bench(tmp_path: Path, host: Forge) -> Bench:
    return Bench(tmp_path, host)


def test_the_example_makes_a_branch_and_a_draft_pull_request(host: Forge, tmp_path: Path) -> None:
    run = play_example("github-gitops", tmp_path, {"http://forge.example:3000": host.url})
    assert run.code == 0, run.err + run.out
    assert [answer.outcome for answer in run.answers] == ["ok"] * len(run.answers)
    assert "none is open" in run.out
    assert "-    memory: 128Mi" in run.out
    assert "+    memory: 256Mi" in run.out
    (pull,) = host.pulls
    assert pull["draft"] is True
    assert pull["head"]["ref"] == "sympozium/payments-memory-limit"
    assert "OOMKilled eleven times" in pull["body"]
    assert host.git("show", f"sympozium/payments-memory-limit:{FILE}").endswith("256Mi")
    assert host.git("log", "-1", "--format=%an|%s|%b", "sympozium/payments-memory-limit") == (
        "sympozium|payments: memory limit 256 MiB|Its containers were killed at 128 MiB eleven times since 09:00 UTC."
    )
    assert host.git("show", f"main:{FILE}") == VALUES.strip()
    assert not [request for request in host.requests if request.startswith(("PUT", "PATCH", "DELETE"))]
    told = [file for file in (tmp_path / "run").rglob("*") if file.is_file() and TOKEN.encode() in file.read_bytes()]
    assert told == []


def test_the_token_is_in_no_argument_of_any_program(tmp_path: Path, bench: Bench) -> None:
    shims, told = tmp_path / "shims", tmp_path / "argv"
    shims.mkdir()
    for name in ("git", "curl", "jq"):
        real = shutil.which(name)
        assert real is not None
        (shims / name).write_text(f'#!/bin/sh\necho "{name} $*" >>"{told}"\nexec {real} "$@"\n')
        (shims / name).chmod(0o755)
    bench.env["PATH"] = f"{shims}:{os.environ['PATH']}"
    assert bench("repo_open")[0]
    bench.change("memory: 1Gi\n")
    assert bench("branch_push", branch="b", message=MESSAGE)[0]
    body = "**Why** because of what was observed"
    assert bench("pull_request_propose", branch="b", title="A title", body=body)[0]
    argv = told.read_text()
    assert argv.count("git ") > 5
    assert argv.count("curl ") == 1
    assert TOKEN not in argv
    assert "eC1hY2Nlc3M" not in argv  # as Basic would begin
    stored = [file for file in (tmp_path / "tmp").rglob("*") if file.is_file() and TOKEN.encode() in file.read_bytes()]
    assert stored == []


def test_what_is_opened_again_keeps_what_was_changed(bench: Bench, host: Forge) -> None:
    assert bench("repo_open")[0]
    bench.change("memory: 1Gi\n")
    ok, said = bench("repo_open")
    assert ok
    assert "Ada: The services as they run" in said
    assert (bench.tree / FILE).read_text() == "memory: 1Gi\n"


def test_without_a_change_nothing_is_pushed(bench: Bench, host: Forge) -> None:
    assert bench("repo_open")[0]
    ok, said = bench("branch_push", branch="b", message=MESSAGE)
    assert (ok, said) == (False, "nothing was changed in repository/\n")
    assert host.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_pushing_again_adds_a_commit(bench: Bench, host: Forge) -> None:
    assert bench("repo_open")[0]
    for text in ("memory: 1Gi\n", "memory: 2Gi\n"):
        bench.change(text)
        assert bench("branch_push", branch="b", message=MESSAGE)[0]
    assert host.git("rev-list", "--count", "main..sympozium/b") == "2"
    ok, said = bench("repo_diff")
    assert ok
    assert said.count(MESSAGE) == 2


def test_a_branch_of_somebody_else_is_not_overwritten(bench: Bench, host: Forge) -> None:
    assert bench("repo_open")[0]
    bench.change("memory: 1Gi\n")
    other = host.git("-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", "main^{tree}", "-m", "theirs")
    host.git("update-ref", "refs/heads/sympozium/b", other)
    ok, said = bench("branch_push", branch="b", message=MESSAGE)
    assert not ok
    assert "rejected" in said
    assert host.git("rev-parse", "sympozium/b") == other


def test_the_base_branch_is_refused(bench: Bench, host: Forge) -> None:
    bench.env["PARAM_BRANCHPREFIX"] = ""
    assert bench("repo_open")[0]
    bench.change("memory: 1Gi\n")
    before = host.git("rev-parse", "main")
    ok, said = bench("branch_push", branch="main", message=MESSAGE)
    assert (ok, said) == (False, "main is the base branch: name another\n")
    assert host.git("rev-parse", "main") == before


def test_a_pull_request_that_is_there_already_is_told(bench: Bench, host: Forge) -> None:
    assert bench("repo_open")[0]
    bench.change("memory: 1Gi\n")
    assert bench("branch_push", branch="b", message=MESSAGE)[0]
    wanted = {"branch": "b", "title": "Less 'memory' \"now\"", "body": 'It is "so": $(id) `id` \\ \n${HOME}'}
    assert bench("pull_request_propose", **wanted)[0]
    assert (host.pulls[0]["title"], host.pulls[0]["body"]) == (wanted["title"], wanted["body"])
    ok, said = bench("pull_request_propose", **wanted)
    assert not ok
    assert "A pull request already exists for sympozium/b." in said
    assert bench("pull_request_comment", number=1, body="It is looked at.")[0]
    ok, said = bench("pull_request_view", number=1)
    assert ok
    assert "lint: success" in said
    assert "sympozium-bot, 2026-01-01T00:00:00Z: It is looked at." in said
    assert "#1  draft  sympozium/b → main" in bench("pull_requests")[1]


@pytest.mark.parametrize("tool", ["repo_open", "pull_requests"])
def test_a_wrong_token_is_told_and_not_shown(bench: Bench, tool: str) -> None:
    bench.env["GITHUB_TOKEN"] = "of-yesterday"
    ok, said = bench(tool)
    assert not ok
    assert "401" in said or "Authentication failed" in said
    assert "of-yesterday" not in said


def test_what_lies_in_the_tree_starts_no_program(bench: Bench, tmp_path: Path) -> None:
    """The agent can write to the tree; git must not take its settings from there."""
    assert bench("repo_open")[0]
    proof = tmp_path / "proof"
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {proof}\n")
    evil.chmod(0o755)
    for place in (bench.tree, bench.tree / "inner"):
        place.mkdir(exist_ok=True)
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", "init", "--quiet"], cwd=place, check=True)
        subprocess.run(["git", *who, "commit", "-qm", "x", "--allow-empty"], cwd=place, check=True)
        for key in ("core.fsmonitor", "core.hooksPath", "diff.external", "credential.helper", "core.sshCommand"):
            subprocess.run(["git", "config", key, str(evil)], cwd=place, check=True)
        for hook in ("pre-commit", "pre-push", "post-checkout"):
            shutil.copy(evil, place / ".git/hooks" / hook)
    (bench.tree / ".gitattributes").write_text("* filter=evil diff=evil\n")
    bench.change("memory: 1Gi\n")
    assert bench("repo_diff")[0]
    assert bench("branch_push", branch="b", message=MESSAGE)[0]
    assert bench("repo_diff")[0]
    assert bench("repo_open")[0]
    assert not proof.exists()


def test_a_tree_that_is_a_link_is_refused(bench: Bench, tmp_path: Path) -> None:
    bench.workspace.mkdir()
    bench.tree.symlink_to(tmp_path)
    for tool in ("repo_open", "repo_diff"):
        ok, said = bench(tool)
        assert (ok, said) == (False, "repository is a symbolic link: remove it\n")


@pytest.mark.parametrize(("name", "says"), [("PARAM_REPOSITORY", "OWNER/NAME"), ("GITHUB_TOKEN", "no GITHUB_TOKEN")])
def test_what_is_missing_is_named(bench: Bench, name: str, says: str) -> None:
    bench.env[name] = ""
    ok, said = bench("repo_open")
    assert not ok
    assert says in said
