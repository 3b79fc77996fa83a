"""Approvals, as the real gate read the call: answered at the terminal, at another one, or by a word in advance."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import termios
import time

import pytest

ASKS = """
say("calls/ops/3-1.json", {"kind": "Call", "id": "3-1", "participant": "ops", "tool": "execute_command",
    "arguments": {"command": "touch /srv/x\\u001b[2Jhidden\\u202e\\nAllow it? y"}})
verdict = IPC / "bridge/verdicts/ops/3-1.json"
found = json.loads(wait(lambda: verdict.exists() and verdict.read_text()))
result(found["decision"] + " " + found["by"] + " " + found["reason"])
"""


@pytest.fixture
def asking(installation):
    installation.real("bridge")
    installation.program("agent", ASKS)
    return installation


class Person:
    """Somebody at a terminal of his own."""

    def __init__(self, installation, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        command = installation.command("run", "do it", "-f", str(installation.objects), *arguments)
        self.process = subprocess.Popen(
            [*command, "--dir", str(installation.directory)],
            env={**installation.environment, "TERM": "xterm"},
            stdin=slave,
            stderr=slave,
            stdout=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)
        self.seen = ""

    def sees(self, text: str) -> None:
        ends = time.monotonic() + 30
        while text not in self.seen:
            assert time.monotonic() < ends, self.seen
            ready, _, _ = select.select([self.master], [], [], 1)
            if ready:
                self.seen += self._read()

    def _read(self) -> str:
        try:
            return os.read(self.master, 65536).decode(errors="replace")
        except OSError:
            return ""

    def types(self, text: str) -> None:
        os.write(self.master, text.encode())

    def leaves_with(self) -> str:
        answer = self.process.communicate(timeout=30)[0].decode()
        self.seen += self._read()
        os.close(self.master)
        return answer


def _take_terminal() -> None:
    import fcntl

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


PROMPT = "a reason if you like: "


def test_the_question_shows_the_call_as_the_gate_read_it_and_nothing_acts_on_the_terminal(asking):
    person = Person(asking)
    person.sees(PROMPT)
    question = person.seen
    assert "execute_command on ops" in question
    assert "effect: write" in question
    assert "touch /srv/x" in question
    assert "\x1b[2J" not in question
    assert "\u202e" not in question
    assert "\\u202e" in question
    person.types("y looks right\n")
    assert person.leaves_with().startswith("allow person:")
    assert "looks right" in person.seen


def test_a_denial_carries_the_reason_to_the_model(asking):
    person = Person(asking)
    person.sees(PROMPT)
    person.types("n not on a Friday\n")
    answer = person.leaves_with()
    assert answer.startswith("deny person:")
    assert "not on a Friday" in answer


def test_anything_but_yes_or_no_asks_again(asking):
    person = Person(asking)
    person.sees(PROMPT)
    person.seen = ""
    person.types("perhaps\n")
    person.sees(PROMPT)
    person.types("no\n")
    assert person.leaves_with().startswith("deny")


def test_what_was_typed_before_the_question_answers_nothing(asking):
    asking.program("agent", "wait(lambda: (DIR / 'go').exists())\n" + ASKS)
    person = Person(asking)
    person.sees("run ")
    person.types("y\n")
    (asking.directory / "go").touch()
    person.sees(PROMPT)
    assert not list((asking.directory / "ipc/console").iterdir())
    person.types("n\n")
    assert person.leaves_with().startswith("deny")


def test_the_end_of_the_terminals_input_is_a_denial(asking):
    person = Person(asking)
    person.sees(PROMPT)
    person.types("\x04")
    assert "ended the input instead of answering" in person.leaves_with()


def test_a_question_answered_from_another_terminal_goes_away(asking):
    person = Person(asking)
    person.sees(PROMPT)
    done = asking("approve", str(asking.directory), "3-1")
    assert done.returncode == 0, done.stderr
    person.sees("no longer asked")
    assert person.leaves_with().startswith("allow")
    late = asking("deny", str(asking.directory), "3-1", "--reason", "late")
    assert late.returncode == 19


def test_deny_from_another_terminal_names_who_and_why(asking):
    person = Person(asking)
    person.sees(PROMPT)
    unknown = asking("approve", str(asking.directory), "9-9")
    assert unknown.returncode == 12
    assert "3-1" in unknown.stderr
    asking("deny", str(asking.directory), "3-1", "--reason", "not that file")
    assert "not that file" in person.leaves_with()


TOLD = """
inbound = IPC / "bridge/inbox/1.json"
found = json.loads(wait(lambda: inbound.exists() and inbound.read_text()))
result(found["type"] + " " + found["by"])
"""


def test_a_question_is_named_with_its_participant_as_well_and_no_others(asking):
    person = Person(asking)
    person.sees(PROMPT)
    participant = next(path.parent.name for path in asking.directory.glob("**/questions/*/3-1.json"))
    other = asking("approve", str(asking.directory), "another/3-1")
    assert other.returncode == 12
    assert "another/3-1: there is no such question; open are: 3-1" in other.stderr
    assert asking("approve", str(asking.directory), f"{participant}/3-1").returncode == 0
    assert person.leaves_with().startswith("allow")


def test_ctrl_c_at_the_prompt_cancels(asking):
    asking.program("agent", ASKS.partition("verdict =")[0] + TOLD)
    person = Person(asking)
    person.sees(PROMPT)
    person.types("\x03")
    assert person.leaves_with().startswith("cancel ")


def test_approve_all_answers_every_question(asking):
    done = asking.run("--approve", "all")
    assert done.stdout.startswith("allow person:approve all")
    assert "approve all" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--approve", "none"]])
def test_without_a_terminal_or_with_none_nobody_is_asked(asking, arguments):
    done = asking.run(*arguments)
    assert done.stdout.startswith("deny")
    assert not list((asking.directory / "ipc/bridge/questions/ops").iterdir())


def test_follow_ups_and_cancels_reach_the_inbox_in_order(asking, until):
    asking.program("agent", "wait(lambda: (IPC / 'bridge/inbox/3.json').exists()); result('ok')")
    process = asking.started()
    until(lambda: (asking.directory / "ipc/run/run.json").exists())
    assert asking("send", str(asking.directory), "first").returncode == 0
    assert asking("send", str(asking.directory), "second").returncode == 0
    assert asking("cancel", str(asking.directory), "--reason", "enough").returncode == 0
    process.communicate(timeout=30)
    inbox = [json.loads((asking.directory / f"ipc/bridge/inbox/{n}.json").read_text()) for n in (1, 2, 3)]
    assert [found["text"] for found in inbox] == ["first", "second", "enough"]
    assert asking("send", str(asking.directory), "too late").returncode == 19


def test_a_terminal_that_is_closed_suspends_the_run_and_a_resume_goes_on(asking, until):
    person = Person(asking)
    person.sees(PROMPT)
    os.close(person.master)
    assert person.process.wait(30) == 51
    assert asking.left() == []
    done = asking("resume", str(asking.directory), "--approve", "all")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("allow")


def test_what_a_tool_shows_while_it_runs_is_seen_line_by_line_and_made_visible(installation):
    installation.program("agent", "wait(lambda: (DIR / 'go').exists()); result('ok')")
    shows = "with open(IPC / 'ops/progress/3-1', 'a') as file: file.write('one\\n\x1b[2Jtwo\\nthr')\nidle()"
    installation.program("skill", shows)
    person = Person(installation)
    person.sees("3-1 │ ␛[2Jtwo")
    (installation.directory / "go").touch()
    assert person.leaves_with() == "ok\n"
    assert "3-1 │ one" in person.seen
    assert "thr" not in person.seen
