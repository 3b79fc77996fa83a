"""Bad input: one line that names what is wrong, an exit code 10-19, and nothing left on the disk."""

from __future__ import annotations

import subprocess

import pytest

RUN = "apiVersion: sympozium.ai/v1alpha1\nkind: AgentRun\nmetadata: {name: r}\nspec: {instanceRef: %s, input: hi}\n"
CASES = [
    (["--max-steps", "many"], 10, "--max-steps"),
    (["--max-steps", "-1"], 10, "--max-steps"),
    (["--timeout", "soon"], 10, "--timeout"),
    (["--approve", "maybe"], 10, "--approve"),
    (["--output", "xml"], 10, "--output"),
    (["--nonsense"], 10, "--nonsense"),
    (["--provider", "acme"], 12, "--provider"),
    (["--provider", "openai"], 10, "--model"),
    (["--provider", "openai", "--model", "m"], 13, "OPENAI_API_KEY"),
    (["--provider", "ollama", "--model", "m", "--base-url", "ftp://x"], 10, "--base-url"),
    (["--skill", "nothing-like-it"], 12, "--skill"),
    (["--policy", "nothing-like-it"], 12, "--policy"),
    (["--instance", "nobody"], 12, "--instance"),
    (["-f", "absent.yaml"], 11, "absent.yaml"),
    (["--script", "absent.yaml"], 15, "absent.yaml"),
    (["--replay", "absent"], 17, "absent"),
    (["--dir", ""], 10, "--dir"),
]


@pytest.mark.parametrize(("arguments", "code", "named"), CASES, ids=lambda value: str(value)[:40])
def test_a_bad_flag_is_named(installation, arguments, code, named):
    done = installation.run(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("error: ")
    assert named in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not installation.directory.exists()


DOCUMENTS = {
    "kind: Nonsense\napiVersion: sympozium.ai/v1alpha1\nmetadata: {name: x}\n": (11, "kind"),
    "apiVersion: sympozium.ai/v1alpha1\nkind: AgentRun\nmetadata: {name: x}\nspec: {instanceRef: a, inptu: x}\n": (
        11,
        "inptu",
    ),
    RUN % "nobody": (12, "spec.instanceRef"),
    "a: [": (11, "bad.yaml"),
    "": (11, "holds no object"),
    "# later\n---\n---\n": (11, "holds no object"),
    "\x00": (11, "bad.yaml"),
}


@pytest.mark.parametrize("text", DOCUMENTS, ids=lambda text: repr(text)[:40])
def test_a_bad_document_is_named_with_file_and_field(installation, text):
    code, field = DOCUMENTS[text]
    (installation.root / "bad.yaml").write_text(text)
    done = installation("run", "x", "-f", "bad.yaml", "--dir", str(installation.directory))
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert "bad.yaml" in done.stderr
    assert field in done.stderr
    assert not installation.directory.exists()


def test_a_directory_that_holds_something_is_not_taken(installation):
    installation.directory.mkdir()
    (installation.directory / "precious").touch()
    done = installation.run()
    assert done.returncode == 10
    assert [path.name for path in installation.directory.iterdir()] == ["precious"]


def test_a_directory_that_cannot_be_made_is_named(installation):
    (installation.root / "file").touch()
    done = installation("run", "x", "-f", str(installation.objects), "--dir", str(installation.root / "file/run"))
    assert done.returncode == 61
    assert "file" in done.stderr


def test_a_program_that_is_not_installed_is_named_before_anything_starts(installation):
    (installation.bin / "sympozium-bridge").unlink()
    done = installation.run()
    assert done.returncode == 12
    assert "sympozium-bridge" in done.stderr
    assert not installation.directory.exists()


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_input_is_refused(installation, text):
    done = installation("run", text, "--dir", str(installation.directory))
    assert done.returncode == 10
    assert "INPUT" in done.stderr


def test_an_input_larger_than_a_run_may_be_is_refused(installation):
    command = installation.command("run", "-", "-f", str(installation.objects), "--dir", str(installation.directory))
    done = subprocess.run(command, input="x" * (1 << 20), text=True, env=installation.environment, capture_output=True)
    assert 10 <= done.returncode < 20
    assert not installation.directory.exists()


@pytest.mark.parametrize("words", [["resume"], ["runs", "show"], ["cancel"]])
def test_a_run_that_is_not_there_is_not_found(installation, words):
    done = installation(*words, "nowhere")
    assert done.returncode == 17
    assert "nowhere" in done.stderr


def test_version_and_help_end_well(installation):
    assert installation("version").stdout.strip()
    assert "--replay" in installation("run", "--help").stdout


def test_a_directory_without_documents_is_refused(installation):
    (installation.root / "empty").mkdir()
    done = installation.run("-f", "empty")
    assert done.returncode == 11
    assert "empty: holds no file that ends in .yaml or .yml" in done.stderr


def test_what_a_launcher_left_that_was_killed_before_it_began_is_said_to_be_so_and_used_again(installation):
    (installation.directory / "ipc" / "run").mkdir(parents=True)
    (installation.directory / "lock").touch()
    (installation.directory / "pod.json").write_text("{")
    resumed = installation("resume", str(installation.directory))
    assert resumed.returncode == 17
    assert "its launcher ended before anything had started" in resumed.stderr
    assert installation.run().returncode == 0


def test_a_strangers_directory_is_not_taken_for_a_run_that_never_began(installation):
    (installation.directory / "ipc").mkdir(parents=True)
    (installation.directory / "lock").touch()
    (installation.directory / "thesis.tex").touch()
    assert installation.run().returncode == 10
    assert (installation.directory / "thesis.tex").exists()


def test_nobody_can_be_added_to_a_run_that_was_started_with_nobody_to_ask(installation):
    installation.program("agent", "raise SystemExit(51)")
    assert installation.run("--approve", "none").returncode == 51
    refused = installation("resume", str(installation.directory), "--approve", "all")
    assert refused.returncode == 10
    assert "started with nobody to ask" in refused.stderr
