"""The walls hold under pressure: floods, links, pipes and too much of everything block nobody else, and end in words.

The attacker is a Python that the engine starts in the real container of a real run, or the agent's own program.
"""

from __future__ import annotations

import json
import subprocess
import time

import pytest

from sympozium_cli.launch.containers import MAX_LOG
from sympozium_protocol.exits import Reason
from tests.pod.play import Play, Run
from tests.support.containers import Containers
from tests.support.scratch import soon
from tests.support.walled import PROGRAMS, WAIT, documents, run_command, scripted, words


def ended(play: Play, launcher: subprocess.Popen[bytes]) -> Run:
    return Run(play.directory, launcher.wait(90), "", "")


DISTURB = """
own, peer = sys.argv[1], "/ipc/run/run.json"
places = [directory for directory, _, _ in os.walk(own) if os.access(directory, os.W_OK)]
for number, place in enumerate(places):
    for name in ("90-1.json", "91-1", "900.json"):
        try:
            os.mkfifo(os.path.join(place, name))
        except FileExistsError:
            pass
    for name, target in (("92-1.json", "/dev/zero"), ("93-1.json", peer), ("94-1.json", "94-1.json")):
        os.symlink(target, os.path.join(place, name))
    os.mkdir(os.path.join(place, "95-1.json"))
    for count in range(100):
        with open(os.path.join(place, f"{1000 + count}-1.json"), "x") as file:
            file.write("[" * 1000)
found = len(places)
"""


@pytest.mark.parametrize("program", ["agent", "shell"])
def test_pipes_links_and_floods_in_ones_own_places_block_nobody(
    program: str, play: Play, containers: Containers
) -> None:
    steps = ({"call": [run_command(WAIT)]}, {"call": [run_command("awk 'BEGIN { print 2 }'")]}, {"say": "said ${r}"})
    launcher = play.start(words(play, documents(play.path, scripted(*steps)), "--timeout", "60s"))
    soon((play.workspace / "began").exists, "the command starts")
    assert containers.python(program, DISTURB, f"/ipc/{program}") > 2
    lives = {name: containers.starts(name) for name in PROGRAMS}
    alive = [play.place((name,)) / "alive" for name in PROGRAMS]
    then = time.time_ns()
    for file in alive:
        soon(lambda file=file: file.stat().st_mtime_ns > then, f"{file} shows that it is alive")
    assert {name: containers.starts(name) for name in PROGRAMS} == lives
    (play.workspace / "go").touch()
    run = ended(play, launcher)
    assert (run.code, run.result["output"]) == (0, "said 2")


def test_what_the_agent_put_in_the_place_of_its_directories_moves_no_mount(play: Play, containers: Containers) -> None:
    """The gate and a skill start again after the agent has replaced what it can by links; each finds its own."""
    second = {"call": [run_command(WAIT.replace("touch", "touch again"), "b")]}
    objects = documents(play.path, scripted({"call": [run_command(WAIT)]}, second, {"say": "${r.outcome} ${b}"}))
    launcher = play.start(words(play, objects))
    soon((play.workspace / "began").exists, "the command starts")
    replace = """
found = []
for directory, names, _ in os.walk("/ipc/agent", topdown=False):
    for name in names:
        path = os.path.join(directory, name)
        try:
            os.rename(path, f"{path}-moved")
            os.symlink("/ipc/bridge", path)
            found.append(path)
        except OSError:
            pass
"""
    assert containers.python("agent", replace) == []
    before = {name: mounted(containers, name) for name in ("shell", "bridge", "agent")}
    for name in ("bridge", "shell"):
        life = containers.starts(name)
        containers.of(name).kill()
        soon(lambda name=name, life=life: containers.starts(name) not in ("", life), f"{name} starts again")
    assert {name: mounted(containers, name) for name in before} == before
    (play.workspace / "go").touch()
    run = ended(play, launcher)
    assert (run.code, [answer.outcome for answer in run.answers]) == (0, ["interrupted", "ok"])


def mounted(containers: Containers, program: str) -> list[list[str]]:
    """What is mounted where: (source, target)."""
    look = """
found = sorted(line.split()[3:5] for line in open("/proc/self/mountinfo") if " /ipc" in line or " /workspace" in line)
"""
    return containers.python(program, look)  # type: ignore[no-any-return]


def test_a_command_that_asks_for_too_much_memory_or_too_many_processes_fails_and_the_run_goes_on(play: Play) -> None:
    eat = "awk 'BEGIN { s = \"x\"; while (1) s = s s }'"
    bomb = "bomb() { bomb | bomb & }; bomb; sleep 60"
    steps = (
        {"call": [run_command(eat, "a")]},
        {"call": [run_command(bomb, "b", timeout=2)]},
        {"call": [run_command("echo still", "c")]},
        {"say": "${c}"},
    )
    run = play.do(words(play, documents(play.path, scripted(*steps))))
    assert run.code == 0, run.err
    first, second, third = [answer.outcome for answer in run.answers]
    assert first in ("error", "interrupted")
    assert second in ("error", "timeout", "interrupted")
    assert third == "ok"


def with_agent(play: Play, code: str, **instance: object) -> Run:
    """A run whose agent is this Python from now on: its document is changed while it is suspended."""
    objects = documents(play.path, scripted({"call": [run_command(WAIT)]}, {"say": "x"}), **instance)
    launcher = play.start(words(play, objects))
    soon((play.workspace / "began").exists, "the command starts")
    launcher.terminate()
    assert launcher.wait(60) == Reason.Suspended
    saved = play.directory / "pod.json"
    value = json.loads(saved.read_text())
    value["pod"]["agent"]["command"] = ["python3", "-c", code]
    saved.write_text(json.dumps(value))
    return play.resume()


HOG = """
import os
held = []
while True:
    held.append(os.urandom(1 << 20))
"""


def test_an_agent_that_asks_for_more_than_its_memory_is_ended_and_the_run_says_so(play: Play) -> None:
    run = with_agent(play, HOG, resources={"limits": {"memory": "64Mi"}})
    assert (run.code, "64 MiB" in run.err) == (Reason.OutOfMemory, True), run.err


LINKS = """
import os
for place, name in (("", "result.json"), ("transcript", "9.json"), ("calls/shell", "8-1.json"), ("blobs", "0" * 64)):
    os.symlink(TARGET, os.path.join("/ipc/agent", place, name))
raise SystemExit(0)
"""


def test_links_to_files_of_this_machine_are_not_followed_by_who_reads_them_there(play: Play) -> None:
    """The gate and the launcher read what the agent left; on this machine a link means another file."""
    secret = play.path / "secret"
    secret.write_text('{"kind": "RunResult", "output": "canary-of-this-machine"}')
    run = with_agent(play, LINKS.replace("TARGET", repr(str(secret))))
    assert run.code == Reason.ResultUnreadable, run.err
    assert "canary" not in run.out + run.err
    volumes = play.directory / "volumes"
    copied = [file for file in volumes.rglob("*") if file.is_file() and not file.is_symlink()]
    assert [file for file in copied if b"canary-of-this-machine" in file.read_bytes()] == []


SAY = """
with open("/proc/1/fd/2", "wb", buffering=0) as file:
    for _ in range(24 << 4):
        file.write(b"x" * (1 << 16))
found = "said"
"""


def test_a_program_that_says_too_much_fills_no_disk_and_blocks_nobody(play: Play, containers: Containers) -> None:
    objects = documents(play.path, scripted({"call": [run_command(WAIT)]}, {"say": "said ${r}"}))
    launcher = play.start(words(play, objects))
    soon((play.workspace / "began").exists, "the command starts")
    assert containers.python("agent", SAY) == "said"
    (play.workspace / "go").touch()
    run = ended(play, launcher)
    assert (run.code, run.result["output"]) == (0, "said went")
    assert (play.directory / "logs/agent.log").stat().st_size == MAX_LOG
