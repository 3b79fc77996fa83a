"""The agent's first process, with a stand-in for the program it starts."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

START = """
import os, signal, sys
from sympozium_runner import first
first.BACKOFF = 0.01
PLACE = os.environ["PLACE"]
def lives():
    path = os.path.join(PLACE, "lives")
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\\n")
    return len(open(path).readlines())
def mark(name, text=""):
    with open(os.path.join(PLACE, "." + name), "w") as file:
        file.write(text)
    os.rename(os.path.join(PLACE, "." + name), os.path.join(PLACE, name))
"""
END = "\nraise SystemExit(first.first(program))\n"


class Place:
    """An ipc directory with a run in it, and the starting of a first process there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run = path / "run" / "run.json"
        self.run.parent.mkdir()
        self.offer("read_file")

    def offer(self, *tools: str) -> None:
        self.run.write_text(json.dumps({"native": {"tools": [{"name": name} for name in tools]}}))

    def start(self, program: str, **environment: str) -> subprocess.Popen[str]:
        code = START + program + END
        known = {"PATH": os.environ["PATH"], "SYMPOZIUM_IPC": str(self.path), "PLACE": str(self.path)}
        return subprocess.Popen([sys.executable, "-c", code], env=known | environment, text=True, stdout=-1, stderr=-1)

    def has(self, name: str) -> bool:
        return (self.path / name).exists()

    def lives(self) -> list[int]:
        return [int(line) for line in (self.path / "lives").read_text().split()]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def soon(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, list[dict[str, Any]]]:
    out, err = process.communicate(timeout=30)
    return process.returncode, out, [json.loads(line) for line in err.splitlines() if line.startswith("{")]


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("code", [0, 42, 69])
def test_the_exit_code_is_the_programs(place: Place, code: int) -> None:
    assert ended(place.start(f"def program(): return {code}"))[0] == code


def test_a_program_that_raises_is_no_success_and_not_restarted(place: Place) -> None:
    assert ended(place.start("def program():\n  lives()\n  raise ValueError('x')"))[0] == 69
    assert len(place.lives()) == 1


def test_a_program_that_a_signal_killed_is_started_again(place: Place) -> None:
    program = "def program():\n  if lives() < 3: os.kill(os.getpid(), signal.SIGKILL)\n  return 7"
    code, _, log = ended(place.start(program))
    assert code == 7
    assert [(line["event"], line["signal"]) for line in log] == [("killed", "SIGKILL")] * 2
    assert len(set(place.lives())) == 3


def test_a_program_that_is_killed_again_and_again_has_crashed(place: Place) -> None:
    code, _, log = ended(place.start("def program():\n  lives(); os.abort()"))
    assert code == 63
    assert len(place.lives()) == 6
    assert (log[-1]["event"], log[-1]["reason"]) == ("ended", "AgentCrashed")
    assert "SIGABRT" in log[-1]["message"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_end_is_handed_on(place: Place, number: signal.Signals) -> None:
    program = f"""
def program():
    def end(*_): raise SystemExit(51)
    signal.signal({int(number)}, end)
    mark("ready")
    signal.pause()
"""
    process = place.start(program)
    soon(lambda: place.has("ready"))
    process.send_signal(number)
    assert ended(process)[0] == 51


def test_a_program_that_the_signal_to_end_killed_is_not_restarted(place: Place) -> None:
    process = place.start("def program():\n  lives(); mark('ready'); signal.pause()")
    soon(lambda: place.has("ready"))
    process.terminate()
    assert ended(process)[0] == 51
    assert len(place.lives()) == 1


def test_a_program_that_will_not_end_is_killed(place: Place) -> None:
    program = """
first.Supervisor.__init__.__kwdefaults__["grace"] = 0.1
def program():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    lives(); mark("ready")
    while True: signal.pause()
"""
    process = place.start(program)
    soon(lambda: place.has("ready"))
    process.terminate()
    assert ended(process)[0] == 51
    assert gone(place.lives()[0])


def test_the_program_goes_when_the_first_process_is_killed(place: Place) -> None:
    process = place.start("def program():\n  lives(); mark('ready'); signal.pause()")
    soon(lambda: place.has("ready"))
    process.kill()
    process.communicate()
    soon(lambda: gone(place.lives()[0]))


def test_the_first_process_goes_with_whoever_started_it(place: Place) -> None:
    program = "def program():\n  lives(); mark('ready'); signal.pause()"
    launcher = subprocess.Popen(
        [sys.executable, "-c", f"import os, subprocess, sys\nos.environ['SYMPOZIUM_PARENT'] = str(os.getpid())\n"
         f"subprocess.call([sys.executable, '-c', {START + program + END!r}])"],
        env={"SYMPOZIUM_IPC": str(place.path), "PLACE": str(place.path)},
    )  # fmt: skip
    soon(lambda: place.has("ready"))
    first = int(Path(f"/proc/{place.lives()[0]}/stat").read_text().rpartition(")")[2].split()[1])
    launcher.kill()
    launcher.wait()
    soon(lambda: gone(place.lives()[0]) and gone(first))


def test_without_its_parent_it_does_not_begin(place: Place) -> None:
    assert ended(place.start("def program(): lives()", SYMPOZIUM_PARENT="1"))[0] == 51
    assert not place.has("lives")


def test_what_the_program_leaves_behind_is_reaped(place: Place) -> None:
    program = """
import ctypes
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # orphans come to the first process, as they come to process 1
def program():
    if os.fork() == 0:
        if os.fork() == 0:
            mark("orphan", str(os.getpid()))
            os._exit(0)
        os._exit(0)
    os.wait()
    while not os.path.exists(os.path.join(PLACE, "orphan")): pass
    pid = open(os.path.join(PLACE, "orphan")).read()
    while os.path.exists("/proc/" + pid): pass
    return 5
"""
    assert ended(place.start(program))[0] == 5


TRY = """
import socket
def program():
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    except PermissionError:
        return 1
    return 2
"""


def test_the_network_is_locked_unless_fetch_url_is_offered(place: Place) -> None:
    assert ended(place.start(TRY))[0] == 1
    place.offer("read_file", "fetch_url")
    assert ended(place.start(TRY))[0] == 2


@pytest.mark.parametrize("text", ["", "[]", '{"native":{"tools":[1]}}', '{"native":3}', "[" * 100_000, "\x00"])
def test_a_run_that_cannot_be_read_is_locked_and_left_to_the_program_to_explain(place: Place, text: str) -> None:
    place.run.write_text(text)
    assert ended(place.start(TRY))[0] == 1


def test_another_run_than_the_expected_is_refused(place: Place) -> None:
    good = hashlib.sha256(place.run.read_bytes()).hexdigest()
    assert ended(place.start("def program(): return 3", SYMPOZIUM_RUN_DIGEST=good))[0] == 3
    code, _, log = ended(place.start("def program(): lives()", SYMPOZIUM_RUN_DIGEST="0" * 64))
    assert (code, log[-1]["reason"]) == (64, "InvalidRun")
    assert not place.has("lives")


@pytest.mark.parametrize("kind", ["absent", "fifo", "link"])
def test_a_run_that_is_no_file_is_refused_at_once(place: Place, kind: str) -> None:
    place.run.unlink()
    if kind == "fifo":
        os.mkfifo(place.run)
    if kind == "link":
        place.run.symlink_to("/etc/passwd")
    code, _, log = ended(place.start("def program(): return 0", SYMPOZIUM_RUN_DIGEST="0" * 64))
    assert (code, log[-1]["reason"]) == (64, "InvalidRun")


def test_a_lock_that_fails_starts_nothing(place: Place) -> None:
    program = "os.uname = lambda: type('U', (), {'machine': 'vax', 'sysname': 'Linux'})\ndef program(): lives()"
    code, _, log = ended(place.start(program))
    assert code == 69
    assert "cannot be locked out of the network" in log[-1]["message"]
    assert not place.has("lives")


def test_the_first_process_stays_bare(place: Place) -> None:
    program = """
_wait = first.Supervisor._wait
def wait(self):
    status = _wait(self)
    print(" ".join(sys.modules))
    return status
first.Supervisor._wait = wait
def program():
    import sympozium_runner.__main__, pydantic, asyncio
    return 0
"""
    loaded = ended(place.start(program))[1].split()
    assert not {"pydantic", "asyncio", "typing", "socket", "hashlib", "subprocess", "sympozium_runner.program"} & {
        *loaded
    }
    assert [name for name in loaded if name.startswith("sympozium")] == [
        "sympozium_runner",
        "sympozium_runner.seccomp",
        "sympozium_runner.first",
    ]


def test_help_explains_the_environment_and_arguments_are_refused() -> None:
    def agent(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "sympozium_runner", *arguments], text=True, capture_output=True)

    assert "SYMPOZIUM_RUN_DIGEST" in agent("--help").stdout
    assert agent("now").returncode == 10


def test_the_whole_agent_says_what_is_wrong_with_its_run(place: Place) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "sympozium_runner"],
        env={"SYMPOZIUM_IPC": str(place.path)},
        text=True,
        capture_output=True,
    )
    assert process.returncode == 64
    assert "run/run.json: " in process.stderr
