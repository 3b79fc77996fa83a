"""Nothing of a run is left in the engine, however it ended; and it goes on after any of its programs was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from sympozium_cli.launch import secretfiles
from sympozium_protocol.exits import Reason
from sympozium_protocol.layout import RUN, RUN_FILE
from tests.pod.play import SYMPOZIUM, Play, Run
from tests.support.containers import Containers
from tests.support.provider_server import ProviderServer, provider_server
from tests.support.scratch import soon

WAIT = "echo one >> effects; touch began; until [ -e go ]; do sleep 0.01; done"
KEY = "canary-of-a-key"
KILLED = pytest.mark.xdist_group("launchers that are killed")
"""What one such test leaves for a moment another would remove."""


def waiting(play: Play) -> list[str]:
    """A run that waits in a command, and in another: it lasts even when the first is interrupted."""
    steps = [call(WAIT), call("until [ -e go ]; do sleep 0.01; done; echo two >> effects"), {"say": "done"}]
    return play.command("--script", str(play.script(steps)))


def call(command: str) -> dict[str, object]:
    return {"call": [{"tool": "execute_command", "arguments": {"command": command}, "save": "r"}]}


def begun(play: Play) -> subprocess.Popen[bytes]:
    launcher = play.start(waiting(play))
    soon(lambda: launcher.poll() is not None or (play.workspace / "began").exists(), "the command starts")
    assert launcher.poll() is None
    return launcher


def effects(play: Play) -> Counter[str]:
    return Counter((play.workspace / "effects").read_text().split())


def secrets_of(play: Play) -> list[Path]:
    """Directories of secrets that this run has on the machine."""
    place = secretfiles.directory(name_of(play))
    return [place] if place.exists() else []


def name_of(play: Play) -> str:
    return str(json.loads((play.place(RUN) / RUN_FILE).read_text())["run"])


@pytest.fixture
def gone(play: Play, containers: Containers) -> Callable[[], None]:
    """Asserts that nothing is left."""

    def check() -> None:
        assert containers.left() == []
        assert secrets_of(play) == []

    return check


def test_after_a_success_nothing_is_left(play: Play, gone: Callable[[], None]) -> None:
    assert play.run("--script", str(play.script([{"say": "done"}]))).code == 0
    gone()


def test_after_a_failure_nothing_is_left(play: Play, gone: Callable[[], None]) -> None:
    assert play.run("--script", str(play.script([call("true")]))).code == Reason.ScriptEnded
    gone()


def of(server: ProviderServer, play: Play) -> tuple[str, ...]:
    return ("--provider", "openai", "--model", "m", "--base-url", f"http://{play.here}:{server.port}/v1")


def test_a_key_is_a_file_while_the_run_lasts_and_gone_with_it(
    play: Play, containers: Containers, gone: Callable[[], None]
) -> None:
    with provider_server(
        {"calls": [("execute_command", f'{{"command": "{WAIT}"}}')]}, {"text": "done"}, host=play.listen
    ) as server:
        launcher = play.start(play.command(*of(server, play)), OPENAI_API_KEY=KEY)
        soon((play.workspace / "began").exists, "the command starts")
        [place] = secrets_of(play)
        assert [file.read_text() for file in place.rglob("*") if file.is_file()] == [KEY]
        assert place.stat().st_mode & 0o077 == 0
        assert containers.networks() != []
        (play.workspace / "go").touch()
        assert launcher.wait(60) == 0
    gone()


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_ctrl_c_cancels_and_leaves_nothing(times: int, play: Play, gone: Callable[[], None]) -> None:
    launcher = begun(play)
    launcher.send_signal(signal.SIGINT)
    if times > 1:
        console = play.place(("console",))
        soon(lambda: launcher.poll() is not None or os.listdir(console), "the first is taken")
        launcher.send_signal(signal.SIGINT)
    assert launcher.wait(60) == Reason.Cancelled
    gone()


def test_a_run_that_is_told_to_stop_leaves_nothing_and_goes_on_later(play: Play, gone: Callable[[], None]) -> None:
    launcher = begun(play)
    launcher.terminate()
    assert launcher.wait(60) == Reason.Suspended
    gone()
    (play.workspace / "go").touch()
    run = play.resume()
    assert (run.code, run.out) == (0, "done\n"), run.err
    assert [answer.outcome for answer in run.answers] == ["interrupted", "ok"]
    assert effects(play) == {"one": 1, "two": 1}
    gone()


@KILLED
def test_a_run_whose_launcher_was_killed_goes_on_without_its_old_containers(
    play: Play, containers: Containers, gone: Callable[[], None]
) -> None:
    launcher = begun(play)
    launcher.kill()
    launcher.wait()
    old = {one.id for one in containers.all()}
    assert len(old) == 4
    assert "its containers run: they hear this now" in spoken_to(play)
    resumed = play.start([str(SYMPOZIUM), "resume", str(play.directory)])
    soon(lambda: {one.id for one in containers.all()} - old, "new containers are there")
    assert old.isdisjoint(one.id for one in containers.all())
    (play.workspace / "go").touch()
    assert resumed.wait(60) == 0
    run = Run(play.directory, 0, "", "")
    assert run.result["output"] == "done"
    assert [answer.outcome for answer in run.answers] == ["interrupted", "ok"]
    assert effects(play) == {"one": 1, "two": 1}
    gone()


@KILLED
def test_prune_removes_what_a_killed_launcher_left_and_nothing_of_a_run_that_lives(
    play: Play, containers: Containers, gone: Callable[[], None], tmp_path: Path
) -> None:
    with provider_server({"calls": [("execute_command", f'{{"command": "{WAIT}"}}')]}, host=play.listen) as server:
        killed = play.start(play.command(*of(server, play)), OPENAI_API_KEY=KEY)
        soon((play.workspace / "began").exists, "the command starts")
        killed.kill()
        killed.wait()
    (tmp_path / "second").mkdir()
    other = Play(tmp_path / "second", "compose")
    living = begun(other)
    assert containers.left() != []
    assert secrets_of(play) != []
    pruned = prune(play)
    assert (pruned.returncode, name_of(play) in pruned.stderr) == (0, True), pruned
    gone()
    (other.workspace / "go").touch()
    assert living.wait(60) == 0
    assert name_of(other) not in prune(play).stderr


def spoken_to(play: Play) -> str:
    """What a person is told who answers a question that is not there."""
    words = [str(SYMPOZIUM), "deny", str(play.directory), "9-9"]
    return subprocess.run(words, env=play.env(), capture_output=True, text=True, timeout=60, check=False).stderr


def prune(play: Play) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SYMPOZIUM), "runs", "prune"], env=play.env(), capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("program", ["agent", "bridge", "model", "shell"])
def test_a_container_that_is_killed_is_started_again_and_nothing_happens_twice(
    program: str, play: Play, containers: Containers, gone: Callable[[], None]
) -> None:
    launcher = begun(play)
    life = containers.starts(program)
    containers.of(program).kill()
    soon(lambda: containers.starts(program) not in ("", life), "it starts again")
    (play.workspace / "go").touch()
    assert launcher.wait(60) == 0
    assert effects(play) == {"one": 1, "two": 1}
    first, second = [answer.outcome for answer in Run(play.directory, 0, "", "").answers]
    assert (first, second) == ("interrupted" if program == "shell" else "ok", "ok")
    gone()


def test_a_container_that_somebody_removes_ends_the_run_and_leaves_nothing(
    play: Play, containers: Containers, gone: Callable[[], None]
) -> None:
    launcher = begun(play)
    containers.of("bridge").remove(force=True)
    assert Reason(launcher.wait(60)).phase == "Failed"
    gone()
