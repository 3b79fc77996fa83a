"""The kit finds each kind of broken participant, by the right check, and passes those that keep the contract."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sympozium_protocol.conformance.core import CORE
from sympozium_protocol.conformance.full import FULL
from sympozium_protocol.conformance.samples import sample_arguments
from sympozium_protocol.participant.arguments import fault_of_arguments
from tests.support.ipc import wait_for

ROOT = Path(__file__).parents[2]
BROKEN = (sys.executable, str(ROOT / "tests/support/broken.py"))
PYTHON_SIDECAR = (sys.executable, str(ROOT / "examples/python-sidecar/sidecar.py"))
BASH_SIDECAR = (str(ROOT / "examples/bash-sidecar/sidecar.sh"),)
WORDS = 'word_count={"text":"one two three"}'


def kit(*arguments: str, tmp: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "sympozium_protocol.conformance", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp)},
    )
    assert list(tmp.iterdir()) == [], "the kit leaves its scratch directory behind"
    return done


def failed(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.removeprefix("FAIL ") for line in done.stdout.splitlines() if line.startswith("FAIL")]


def title(word: str) -> str:
    return next(check.title for check in FULL if word in check.title)


def test_the_bash_sidecar_passes_core(tmp_path: Path) -> None:
    done = kit("--level", "core", "--name", "words", "--call", WORDS, "--", *BASH_SIDECAR, tmp=tmp_path)
    assert (done.returncode, failed(done)) == (0, []), done.stdout
    assert done.stdout.count("ok   ") == len(CORE)


def test_the_python_sidecar_passes_full(tmp_path: Path) -> None:
    slow = 'wait={"seconds":1}'
    done = kit("--level", "full", "--call", WORDS, "--slow-call", slow, "--", *PYTHON_SIDECAR, tmp=tmp_path)
    assert (done.returncode, failed(done)) == (0, []), done.stdout
    assert done.stdout.count("ok   ") == len(FULL)


def test_without_a_call_one_is_made_from_the_manifest(tmp_path: Path) -> None:
    done = kit("--", *PYTHON_SIDECAR, tmp=tmp_path)
    assert done.returncode == 0, done.stdout


def test_the_small_participant_itself_passes_core(tmp_path: Path) -> None:
    done = kit("--", *BROKEN, "none", tmp=tmp_path)
    assert (done.returncode, failed(done)) == (0, []), done.stdout


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("bad-manifest", "valid manifest"),
        ("no-tools", "valid manifest"),
        ("wrong-id", "a call with a verdict"),
        ("wrong-digest", "a call with a verdict"),
        ("unknown-outcome", "a call with a verdict"),
        ("no-verdict", "without a verdict"),
        ("any-digest", "over other bytes"),
        ("any-decision", "denied"),
        ("any-tool", "unknown tool"),
        ("dies-of-unknown-tool", "unknown tool"),
        ("dies-of-malformed", "malformed call"),
        ("dot-names", "dot-named"),
        ("any-name", "badly named"),
        ("in-place", "by renaming"),
        ("plain-aside", "by renaming"),
    ],
)
def test_a_participant_that_breaks_core_fails_the_check_that_says_so(tmp_path: Path, fault: str, word: str) -> None:
    done = kit("--timeout", "3", "--", *BROKEN, fault, tmp=tmp_path)
    assert done.returncode == 1
    assert title(word) in failed(done), done.stdout
    assert "expected: " in done.stdout
    assert "seen: " in done.stdout


def test_a_participant_that_does_one_thing_after_the_other_fails_full(tmp_path: Path) -> None:
    done = kit(
        "--level", "full", "--timeout", "4", "--slow-call", 'wait={"seconds":1}', "--", *BROKEN, "none", tmp=tmp_path
    )
    assert done.returncode == 1
    found = failed(done)
    for word in ("two calls at once", "withdrawn after", "timeout", "FIFO", "effect write"):
        assert title(word) in found, done.stdout
    for word in ("started is written", "alive", "effect read", "effect idempotent", "SIGTERM"):
        assert title(word) not in found, done.stdout


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("no-started", "started is written"),
        ("no-alive", "alive"),
        ("ignores-withdrawn", "withdrawn before"),
        ("ignores-sigterm", "SIGTERM"),
        ("one-manifest", "effect read"),
    ],
)
def test_a_participant_that_breaks_full_fails_the_check_that_says_so(tmp_path: Path, fault: str, word: str) -> None:
    done = kit(
        "--level", "full", "--timeout", "2", "--slow-call", 'wait={"seconds":1}', "--", *BROKEN, fault, tmp=tmp_path
    )
    assert title(word) in failed(done), done.stdout


@pytest.mark.parametrize(
    "command",
    [("true",), ("false",), ("/no/such/program",), ("sh", "-c", "echo going wrong >&2; exit 3")],
)
def test_a_program_that_is_no_participant_fails_the_first_check(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = kit("--timeout", "2", "--", *command, tmp=tmp_path)
    assert done.returncode == 1
    assert failed(done) == [title("valid manifest")]
    if "going wrong" in command[-1]:
        assert "going wrong" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--",),
        ("--level", "half", "--", "true"),
        ("--level", "full", "--", "true"),
        ("--call", "x=[1]", "--", "true"),
        ("--call", "x={", "--", "true"),
        ("--name", "Upper", "--", "true"),
        ("--name", "agent", "--", "true"),
        ("--timeout", "0", "--", "true"),
    ],
)
def test_wrong_usage_is_said_and_exits_10(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = kit(*arguments, tmp=tmp_path)
    assert done.returncode == 10
    assert done.stderr
    assert done.stdout == ""


def alive(pid: int) -> bool:
    try:
        return b") Z" not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False


HIDES = """
(setsid sh -c 'echo $$ >>{0}; exec sleep 1000' &) ; (sh -c 'echo $$ >>{0}; exec sleep 1000' &)
echo $$ >>{0}; sleep 1000
"""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("not json", "Expecting value"),
        ("[]", "not an object"),
        ('{"participants": []}', "other than participants"),
        ('{"servers": [{"name": "x"}]}', "servers.0.prefix"),
    ],
)
def test_fields_of_a_run_spec_that_cannot_be_added_are_said_and_exit_10(
    tmp_path: Path, content: str, words: str
) -> None:
    (scratch := tmp_path / "scratch").mkdir()
    (tmp_path / "fields.json").write_text(content)
    done = kit("--spec", str(tmp_path / "fields.json"), "--", "true", tmp=scratch)
    assert done.returncode == 10
    assert words in done.stderr


def test_fields_that_are_added_reach_the_program(tmp_path: Path) -> None:
    (scratch := tmp_path / "scratch").mkdir()
    (tmp_path / "fields.json").write_text('{"seeds": ["the coffee is in the cupboard"]}')
    look = f"cp $SYMPOZIUM_IPC/run/run.json {tmp_path}/seen.json; exit 3"
    kit("--spec", str(tmp_path / "fields.json"), "--timeout", "1", "--", "sh", "-c", look, tmp=scratch)
    assert "cupboard" in (tmp_path / "seen.json").read_text()


def test_nothing_that_the_program_started_outlives_the_kit(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = kit("--timeout", "1", "--", "bash", "-c", HIDES.format(pids), tmp=scratch)
    assert done.returncode == 1
    found = [int(line) for line in pids.read_text().split()]
    assert len(found) == 3
    assert [pid for pid in found if alive(pid)] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_kit_that_is_stopped_takes_everything_with_it(tmp_path: Path, number: signal.Signals) -> None:
    pids = tmp_path / "pids"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "sympozium_protocol.conformance",
            "--timeout",
            "1000",
            "--",
            "bash",
            "-c",
            HIDES.format(pids),
        ],
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.DEVNULL,
    )

    def written() -> list[int] | None:
        found = [int(line) for line in pids.read_text().split()] if pids.exists() else []
        return found if len(found) == 3 else None

    found = wait_for(written, "three process ids")
    process.send_signal(number)
    assert process.wait(20) == 50
    wait_for(lambda: not any(map(alive, found)) or None, "end of all")
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {
            "type": "object",
            "required": ["a", "b", "c", "d", "e", "f"],
            "properties": {
                "a": {"type": "string", "minLength": 3},
                "b": {"type": "integer", "minimum": 7},
                "c": {"type": "array", "items": {"type": "boolean"}, "minItems": 2},
                "d": {"enum": ["x", "y"]},
                "e": {"type": "object", "required": ["z"], "properties": {"z": {"const": None}}},
                "f": {"anyOf": [{"type": "number", "exclusiveMinimum": 1}, {"type": "null"}]},
            },
        },
    ],
)
def test_arguments_can_be_made_from_plain_schemas(schema: dict[str, object]) -> None:
    assert fault_of_arguments(sample_arguments(schema), schema) is None
