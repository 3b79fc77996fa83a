"""What a person does with a memory on the command line."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from sympozium_memory.store import Memory
from sympozium_memory.telling import times
from sympozium_protocol.exits import Reason
from tests.support.memory import PROGRAM


@dataclass
class Shell:
    """The program over one file."""

    file: Path

    def __call__(self, command: str, *words: str, stdin: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [PROGRAM, command, "--file", self.file, *words], input=stdin, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def json(self, command: str, *words: str, code: int = 0) -> object:
        return json.loads(self(command, *words, "--json", code=code).stdout)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "memory.db")


def test_a_person_stores_finds_and_revokes(shell: Shell) -> None:
    assert shell("store", "payments-api was OOMKilled", "--tag", "oom").stdout == "remembered: [1]\n"
    assert shell("store", "payments-api was OOMKilled").stdout == "was remembered already (stored 2 times): [1]\n"
    shell("store", "-", stdin="from standard input\nin two lines\n")
    found = shell("search", "why", "did", "payments-api", "crash").stdout.splitlines()
    assert found[0].startswith("[1] 20")
    assert found[0].endswith("(just now) · by a person · stored 2 times · tags: oom")
    assert found[1] == "    payments-api was OOMKilled"
    assert "[2]" in shell("list").stdout
    assert shell("revoke", "1", "--reason", "outdated").stdout == "revoked: [1]\n"
    assert "[1]" not in shell("list").stdout
    assert shell("search", "payments").stderr == "nothing found\n"


def test_what_is_stored_once_by_a_call_that_is_done_again_is_said_to_be_stored_once() -> None:
    assert (times(1), times(2)) == ("once", "2 times")


def test_programs_are_answered_in_json(shell: Shell) -> None:
    assert shell.json("store", "a fact", "--tag", "x") == {"id": 1, "added": True, "count": 1}
    (entry,) = shell.json("search", "fact")  # type: ignore[misc]
    assert (entry["id"], entry["content"], entry["tags"], entry["trust"]) == (1, "a fact", ["x"], "person")
    assert entry["score"] > 0
    assert shell.json("list", "--tag", "y") == []
    assert json.loads(shell("search", "fact", "--output", "json").stdout) == [entry]
    assert shell("list", "--output", "text").stdout == shell("list").stdout
    assert shell.json("check") == {"sound": True, "faults": []}
    assert shell.json("revoke", "1", "7") == {"revoked": [1], "kept": [], "missing": [7]}


def test_a_run_is_listed_and_revoked(shell: Shell) -> None:
    with Memory.open(shell.file) as memory:
        memory.store("a lie", run="bad")
        memory.store("shared", run="bad")
        memory.store("shared", run="good")
    assert len(shell.json("list", "--run", "bad")) == 2  # type: ignore[arg-type]
    words = shell("revoke", "--run", "bad").stdout
    assert words == "revoked: [1]\n[2] is kept: others stored it too; to take back all the same: revoke 2\n"
    shell("revoke", "--run", "bad", code=Reason.MissingReference)


def test_export_import_and_backup_go_through_files_and_pipes(shell: Shell, tmp_path: Path) -> None:
    shell("store", "支付服务崩溃", "--tag", "中")
    exported = shell("export").stdout
    shell("export", "--output", str(tmp_path / "out.jsonl"))
    assert (tmp_path / "out.jsonl").read_text() == exported
    other = Shell(tmp_path / "other.db")
    assert other("import", str(tmp_path / "out.jsonl")).stdout.startswith("added 1, here already 0")
    assert other("import", stdin=exported).stdout.startswith("added 0, here already 1")
    assert other("export").stdout == exported
    assert "copied" in shell("backup", str(tmp_path / "copy.db")).stdout
    assert Shell(tmp_path / "copy.db")("export").stdout == exported


def test_a_page_of_a_list_ends_quietly_when_nobody_reads_on(shell: Shell) -> None:
    with Memory.open(shell.file) as memory:
        for number in range(200):
            memory.submit(f"fact {number} {'x' * 1000}")
    with subprocess.Popen(
        [PROGRAM, "export", "--file", shell.file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("store",), Reason.Usage),
        (("store", ""), Reason.Usage),
        (("store", "x", "--tag", "a b"), Reason.Usage),
        (("store", "two", "words"), Reason.Usage),
        (("store", "two", "--tag", "x", "words"), Reason.Usage),
        (("search",), Reason.Usage),
        (("search", ""), Reason.Usage),
        (("search", " ?! "), Reason.Usage),
        (("list", "--output", "xml"), Reason.Usage),
        (("list", "--unknown"), Reason.Usage),
        (("search", "x", "--top-k", "0"), Reason.Usage),
        (("list", "--limit", "many"), Reason.Usage),
        (("list", "--limit", "9" * 30), Reason.Usage),
        (("revoke",), Reason.Usage),
        (("revoke", "1", "--run", "r"), Reason.Usage),
        (("revoke", "99"), Reason.MissingReference),
        (("export", "--output", "/nowhere/x"), Reason.Usage),
        (("import", "/nowhere/x"), Reason.Usage),
        (("backup", "/nowhere/x"), Reason.StorageFailed),
        (("nonsense",), Reason.Usage),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, tuple) else value.name,
)
def test_wrong_usage_is_one_line_and_a_code(shell: Shell, words: tuple[str, ...], code: Reason) -> None:
    shell("store", "something")
    done = shell(words[0], *words[1:], code=code)
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("sympozium-memory")
    assert "Traceback" not in done.stderr


def test_a_bad_export_is_refused_with_the_number_of_its_line(shell: Shell) -> None:
    done = shell("import", stdin='\n{"kind":"Nonsense"}\n', code=Reason.InvalidDocument)
    assert done.stderr == "sympozium-memory import: line 2: kind is 'Nonsense': neither Memory nor Revocation\n"


def test_a_bad_export_in_a_file_is_refused_with_its_name(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "notes.md"
    for content, why in ((b"# Notes\n", "line 1: Invalid JSON"), (b"\xff\n", "is not UTF-8 text")):
        file.write_bytes(content)
        done = shell("import", str(file), code=Reason.InvalidDocument)
        assert done.stderr.startswith(f"sympozium-memory import: {file}: {why}")


@pytest.mark.parametrize("words", [("export", "--output"), ("backup",)], ids=lambda words: words[0])
def test_nothing_is_written_over(shell: Shell, tmp_path: Path, words: tuple[str, ...]) -> None:
    shell("store", "x")
    file = tmp_path / "mine"
    file.write_text("mine")
    done = shell(*words, str(file), code=Reason.Usage)
    assert done.stderr == f"sympozium-memory {words[0]}: {file}: is there already: nothing is replaced\n"
    assert file.read_text() == "mine"


def test_a_misspelt_command_is_told_which_there_are(shell: Shell) -> None:
    assert "there is no command fnd; there are serve, search, list" in shell("fnd", "x", code=Reason.Usage).stderr


def test_words_that_are_not_quoted_are_not_stored(shell: Shell) -> None:
    assert "put it in quotes" in shell("store", "two", "words", code=Reason.Usage).stderr
    assert not shell.file.exists()


def test_a_file_that_is_no_memory_is_told_of_and_left(shell: Shell, tmp_path: Path) -> None:
    shell.file.write_text("just text")
    for words in (("list",), ("store", "x"), ("search", "x"), ("check",), ("export",)):
        done = shell(*words, code=Reason.StorageFailed)
        assert f"{shell.file}: the memory's file is not an SQLite database" in done.stderr
    assert shell.file.read_text() == "just text"


def test_only_storing_begins_a_memory(shell: Shell) -> None:
    for words in (("list",), ("search", "x"), ("check",), ("export",), ("backup", "y")):
        assert "there is no memory at" in shell(*words, code=Reason.MissingReference).stderr
    assert not shell.file.exists()


def test_check_finds_faults_by_its_exit_code(shell: Shell) -> None:
    shell("store", "x")
    subprocess.run(["sqlite3", shell.file, "UPDATE entries SET count = 9"], check=True)
    assert "counted otherwise" in shell("check", code=1).stdout


@pytest.mark.parametrize("words", [("list",), ("search", "forged")])
def test_what_an_agent_stored_cannot_command_a_terminal(shell: Shell, words: tuple[str, ...]) -> None:
    with Memory.open(shell.file) as memory:
        memory.store("\x1b[2Jgone\x07 \u202eevil\n[99] forged heading", run="r\x1b[31m\n[98] forged")
    shown = shell(*words).stdout
    assert "run r\\x1b[31m\\x0a[98] forged" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[2Jgone\\x07 \\u202eevil" in shown
    assert "\n    [99] forged heading" in shown


def test_the_file_may_come_from_the_environment(shell: Shell) -> None:
    shell("store", "x")
    done = subprocess.run(
        [PROGRAM, "list"], env={"SYMPOZIUM_MEMORY": str(shell.file)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("    x\n")


def test_help_tells_of_every_command_and_variable() -> None:
    done = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True)
    for word in ("serve", "search", "list", "store", "revoke", "export", "import", "backup", "check"):
        assert f"    {word} " in done.stdout
    for name in ("SYMPOZIUM_MEMORY", "SYMPOZIUM_IPC", "SYMPOZIUM_PARTICIPANT", "SYMPOZIUM_RUN_DIGEST"):
        assert name in done.stdout
