"""What --help says: every command and option is explained, and nothing is cut at the width of a usual terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from sympozium_cli.app import app

PASSED_ON = {"memory", "serve-agent"}
"""Commands whose words another program reads."""
WIDTH = 80


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*words, name))


ALL = list(commands(typer.main.get_command(app)))


def shown(*words: str) -> str:
    command = [str(Path(sys.executable).parent / "sympozium"), *words, "--help"]
    environment = {**os.environ, "COLUMNS": str(WIDTH)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("words", [words for words, one in ALL if hasattr(one, "commands")], ids=" ".join)
def test_a_list_of_commands_cuts_no_sentence(words: tuple[str, ...]) -> None:
    text = shown(*words)

    assert "..." not in text.partition("Commands:")[2]
    assert max(map(len, text.splitlines())) <= WIDTH


@pytest.mark.parametrize(("words", "command"), ALL, ids=[" ".join(words) for words, _ in ALL])
def test_everything_that_a_command_takes_is_explained(words: tuple[str, ...], command: Any) -> None:
    assert command.help
    if words[:1] and words[0] in PASSED_ON:
        return
    for one in command.params:
        assert getattr(one, "help", None), f"{' '.join(words)}: {one.name}"


def test_a_command_without_what_it_needs_says_what_that_is() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "sympozium"), "logs"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (10, "error: command line: Missing argument 'RUN'.\n")
