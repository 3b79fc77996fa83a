"""The command in odd surroundings: closed streams, endless files, words that are no text."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SYMPOZIUM = Path(sys.executable).with_name("sympozium")


def shell(line: str, path: Path) -> subprocess.CompletedProcess[bytes]:
    env = {"PATH": os.environ["PATH"], "HOME": str(path), "S": str(SYMPOZIUM)}
    (path / "ok.yaml").write_text("steps:\n  - say: hi\n")
    return subprocess.run(["bash", "-c", line], cwd=path, env=env, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("closed", ["2>&-", "<&-", "2>&- <&-"])
def test_a_closed_stream_is_no_reason_to_fail(closed: str, tmp_path: Path) -> None:
    done = shell(f"$S run hi --script ok.yaml --policy permissive --dir d {closed}", tmp_path)
    assert (done.returncode, done.stdout) == (0, b"hi\n")
    assert b"Traceback" not in done.stderr


def test_all_streams_may_be_closed(tmp_path: Path) -> None:
    done = shell("$S run hi --script ok.yaml --policy permissive --dir d >&- 2>&- <&-", tmp_path)
    assert done.returncode == 0


@pytest.mark.parametrize("option", ["--model", "--dir", "--skill", "--script"])
def test_a_word_that_is_not_utf8_is_a_usage_error(option: str, tmp_path: Path) -> None:
    done = shell(f"$S run hi --script ok.yaml {option} $'a\\xff'", tmp_path)
    assert done.returncode == 10
    assert b"is not UTF-8" in done.stderr


@pytest.mark.parametrize(("option", "code"), [("--script", 15), ("-f", 11)])
def test_an_endless_file_is_too_large(option: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "zero").symlink_to("/dev/zero")
    done = shell(f"$S run hi {option} zero", tmp_path)
    assert done.returncode == code
    assert b"larger than 1 MiB" in done.stderr


def test_a_directory_that_is_a_file_is_called_one(tmp_path: Path) -> None:
    done = shell("$S run hi --script ok.yaml --dir ok.yaml", tmp_path)
    assert done.returncode == 10
    assert b"is not a directory" in done.stderr
