"""What a person sees of a run: live on standard error, later with ``runs show``, and never obeyed by his terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import unicodedata

import pytest
from hypothesis import given, strategies as st

from sympozium_cli.terminal import one_line, visible

TURNS = """
message(1, "user", text="do it")
message(2, "assistant", call="m2-1", text="I look.", finish="tools",
    toolCalls=[{"id": "2-1", "name": "execute_command", "arguments": {"command": "df -h \\u001b]0;x\\u0007"}}])
message(3, "tool", call="2-1", tool="execute_command", participant="ops", outcome="error",
    content=[{"type": "text", "text": "no such\\u009bfile"}], details={"exitCode": 2, "duration": 0.5})
message(4, "assistant", call="m4-1", text="It is full.")
result("It is full.")
"""


def test_what_is_said_and_done_is_shown_live(installation):
    installation.program("agent", TURNS)
    done = installation.run()
    for text in ("I look.", "execute_command", "df -h", "error (exit 2, 0.50 s)", "It is full."):
        assert text in done.stderr
    assert "\x1b" not in done.stderr
    assert "\x9b" not in done.stderr


def test_runs_show_tells_the_same_afterwards(installation):
    installation.program("agent", TURNS)
    installation.run()
    shown = installation("runs", "show", str(installation.directory))
    assert shown.returncode == 0, shown.stderr
    for text in ("do it", "I look.", "df -h", "error (exit 2, 0.50 s)", "It is full.", "Succeeded Completed"):
        assert text in shown.stdout
    assert "\x1b" not in shown.stdout
    value = json.loads(installation("runs", "show", str(installation.directory), "--output", "json").stdout)
    assert [message["seq"] for message in value["messages"]] == [1, 2, 3, 4]
    assert value["result"]["output"] == "It is full."


SPOILT = {
    "a FIFO": "os.mkfifo(IPC / 'agent/transcript/1.json')",
    "empty": "(IPC / 'agent/transcript/1.json').touch()",
    "a link": "(IPC / 'agent/transcript/1.json').symlink_to('/etc/passwd')",
    "no message": "say('transcript/1.json', {'kind': 'Message', 'seq': 7, 'role': 'user', 'text': 'x', 'time': T})",
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_file_that_cannot_be_shown_is_said_once_and_stops_nothing(installation, case):
    installation.program("agent", f"{SPOILT[case]}\nresult('fine')")
    done = installation.run()
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr
    assert done.stderr.count("! agent/transcript") == 1
    assert "root:" not in done.stderr


def test_text_is_shown_while_it_comes_and_not_twice(installation, until):
    installation.program(
        "agent",
        """
progress = IPC / "model/progress/m1-1"
progress.write_text("The disks ")
wait(lambda: (DIR / "seen").exists())
message(1, "assistant", call="m1-1", text="The disks are full.")
result("The disks are full.")
""",
    )
    master, slave = pty.openpty()
    command = installation.command("run", "x", "-f", str(installation.objects), "--dir", str(installation.directory))
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, env=installation.environment
    ) as process:
        os.close(slave)
        seen = ""
        while "The disks " not in seen:
            seen += os.read(master, 4096).decode()
        (installation.directory / "seen").touch()
        try:
            while data := os.read(master, 4096):
                seen += data.decode()
        except OSError:
            pass
    os.close(master)
    assert process.returncode == 0
    assert seen.count("The disks are full.") == 1


def test_an_output_that_cannot_be_written_is_no_success(installation):
    command = installation.command("run", "x", "-f", str(installation.objects), "--dir", str(installation.directory))
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=installation.environment, check=False)
    assert done.returncode == 60
    assert b"error: " in done.stderr


@given(st.text())
def test_visible_text_has_no_character_that_a_terminal_obeys(text):
    shown = visible(text)
    assert all(c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in shown)
    assert not any(c in shown for c in "\x1b\x9b\r\x08\x7f\u202e\u2066\u200b")


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_one_line_is_one_short_line(text, width):
    line = one_line(text, width)
    assert len(line) <= width
    assert "\n" not in line
