"""``sympozium memory``: the memory's program under this command's name, on the file of one instance."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sympozium_protocol.exits import Reason

SYMPOZIUM = Path(sys.executable).parent / "sympozium"
COMMANDS = ("search", "list", "store", "revoke", "export", "import", "backup", "check")


class Laptop:
    """A user's command, whose runs and memories lie below one directory."""

    def __init__(self, state: Path) -> None:
        self.state = state

    def __call__(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "XDG_STATE_HOME": str(self.state), "COLUMNS": "120"}
        command = [str(SYMPOZIUM), "memory", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path)


def test_the_help_is_that_of_this_command_and_names_only_what_applies(laptop: Laptop) -> None:
    shown = laptop("--help").stdout
    assert shown.startswith("usage: sympozium memory ")
    assert all(f"    {command} " in shown for command in COMMANDS)
    assert "--instance" in shown
    for other in ("sympozium-memory", "serve", "SYMPOZIUM_", "--file"):
        assert other not in shown
    assert laptop().stdout == shown


@pytest.mark.parametrize("command", COMMANDS)
def test_every_commands_help_has_the_instance_and_makes_nothing(laptop: Laptop, command: str) -> None:
    shown = laptop(command, "--help").stdout
    assert shown.startswith(f"usage: sympozium memory {command} ")
    assert "--instance NAME" in shown
    assert "--namespace NAME" in shown
    assert "--file" not in shown
    assert not list(laptop.state.iterdir())


def test_faults_are_told_under_the_name_of_this_command(laptop: Laptop) -> None:
    why = laptop("fnd", "x", code=Reason.Usage).stderr.splitlines()[-1]
    assert why == f"sympozium memory: there is no command fnd; there are {', '.join(COMMANDS)}"
    why = laptop("store", "two", "words", code=Reason.Usage).stderr.splitlines()[-1]
    assert why == "sympozium memory store: what to remember is one argument: put it in quotes"
    laptop("store", "x")
    assert laptop("search", "", code=Reason.Usage).stderr.startswith("sympozium memory search: query has no word")


@pytest.mark.parametrize("words", [("serve",), ("list", "--file", "/x")], ids=" ".join)
def test_what_belongs_to_the_program_that_serves_is_not_here(laptop: Laptop, words: tuple[str, ...]) -> None:
    laptop("store", "x")
    laptop(*words, code=Reason.Usage)


def test_an_instance_without_a_memory_is_told_which_have_one(laptop: Laptop) -> None:
    assert "no instance has one yet" in laptop("list", code=Reason.MissingReference).stderr
    laptop("store", "x", "--instance", "on-call")
    laptop("store", "y", "--instance", "billing")
    laptop("store", "two", "words", "--instance", "never-stored", code=Reason.Usage)
    done = laptop("list", "--instance", "nope", code=Reason.MissingReference)
    assert done.stderr.rstrip().endswith(
        "the instance nope of the namespace default has no memory here; these have one: billing, on-call"
    )
    assert "no instance has one yet" in laptop("list", "--namespace", "other", code=Reason.MissingReference).stderr


def test_each_instance_has_its_own(laptop: Laptop) -> None:
    laptop("store", "only of a", "--instance", "a")
    laptop("store", "only of b", "--instance", "b")
    assert "only of a" in laptop("list", "--instance", "a").stdout
    assert "only of b" not in laptop("list", "--instance", "a").stdout


def test_an_instance_behind_the_end_of_options_is_refused_and_not_passed_over(laptop: Laptop) -> None:
    laptop("store", "x")
    laptop("revoke", "1", "--", "--instance", "other", code=Reason.Usage)
    assert "    x" in laptop("list").stdout
