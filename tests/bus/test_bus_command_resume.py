"""resume with a bus: on another machine, in an emptied directory, and after a machine lost some of its files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sympozium_protocol.exits import Reason
from tests.support.bus_command import ASKS, Machine, Started
from tests.support.nats import NatsServer

ANSWER = "answer with: sympozium approve"


@pytest.fixture
def here(tmp_path: Path, shared_nats: NatsServer) -> Iterator[Machine]:
    home = tmp_path / "here"
    home.mkdir()
    machine = Machine(home, ("--bus", shared_nats.url))
    yield machine
    machine.end()


@pytest.fixture
def there(tmp_path: Path, here: Machine) -> Iterator[Machine]:
    """Another computer."""
    home = tmp_path / "there"
    home.mkdir()
    machine = Machine(home, here.bus)
    yield machine
    machine.end()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"r-{abs(hash(request.node.nodeid)) % 10**12}"


@pytest.fixture
def lost(here: Machine, name: str) -> Started:
    """A run that waited for a person when its machine was lost, with what it was going to write not done."""
    run = here.run(name)
    run.says(ANSWER)
    run.kill()
    return run


def resumed(machine: Machine, name: str, *options: str) -> Started:
    return machine.start("resume", name, *machine.bus, *options)


def test_a_run_goes_on_on_another_machine_and_does_what_was_asked_once(
    lost: Started, here: Machine, there: Machine, name: str
) -> None:
    run = resumed(there, name, "--script", there.script())
    run.says("files written again from the bus")
    run.says(f"{ANSWER} {name} 4-1")
    assert here.on_bus("approve", name, "4-1").returncode == 0
    assert run.ends() == 0
    assert there.effects(name) == ["x"]
    assert "It was ok." in run.text
    assert "Succeeded Completed" in here.on_bus("runs", "show", name).stdout


def test_an_answer_that_came_while_nothing_ran_is_taken_up(
    lost: Started, here: Machine, there: Machine, name: str
) -> None:
    assert here.on_bus("approve", name, "4-1").returncode == 0
    run = resumed(there, name, "--script", there.script())
    assert run.ends() == 0
    assert there.effects(name) == ["x"]


def test_an_emptied_directory_needs_no_documents(lost: Started, here: Machine, name: str) -> None:
    for place in ("ipc", "workspace", "packs", "logs", "tmp"):
        shutil.rmtree(here.directory(name) / place)
    run = resumed(here, name)
    run.says(ANSWER)
    assert here.on_bus("approve", name, "4-1").returncode == 0
    assert run.ends() == 0
    assert here.effects(name) == ["x"]


def test_what_a_crash_of_the_machine_took_is_written_again_and_counts_as_started(here: Machine, name: str) -> None:
    """A write that was allowed may have been done: its mark is gone with the rest."""
    long = {"tool": "execute_command", "arguments": {"command": f"{ASKS}; sleep 60"}, "save": "r"}
    run = here.run(name, steps=[{"say": "I write.", "call": [long]}, {"say": "It was ${r.outcome}."}])
    run.says(ANSWER)
    here.on_bus("approve", name, "4-1")
    effects = here.directory(name) / "workspace" / "effects"
    run.says("4-1 allowed by")
    while not effects.exists():
        assert run.process.poll() is None
    run.kill()
    shutil.rmtree(here.directory(name) / "ipc" / "shell" / "started")
    (here.directory(name) / "ipc" / "shell" / "started").mkdir()
    (here.directory(name) / "ipc" / "agent" / "transcript" / "4.json").unlink()
    again = here.start("resume", name)
    assert again.ends() == 0
    assert "written again from the bus" in again.text
    assert "It was interrupted." in again.text
    assert here.effects(name) == ["x"]


def test_a_whole_directory_is_left_as_it_is(lost: Started, here: Machine, name: str) -> None:
    run = here.start("resume", name)
    run.says(ANSWER)
    assert "written again" not in run.text
    assert here.on_bus("approve", name, "4-1").returncode == 0
    assert run.ends() == 0
    assert here.effects(name) == ["x"]


def test_a_restoring_that_was_killed_is_done_again(lost: Started, here: Machine, there: Machine, name: str) -> None:
    run = resumed(there, name, "--script", there.script())
    run.says(ANSWER)
    run.kill()
    own = there.directory(name)
    (own / "restoring").touch()
    (own / "ipc" / "agent" / "transcript" / "4.json").unlink()
    again = there.start("resume", name)
    again.says("1 file written again from the bus")
    again.says(ANSWER)
    assert not (own / "restoring").exists()
    assert there.on_bus("deny", name, "4-1").returncode == 0
    assert again.ends() == 0


def test_a_run_that_lives_elsewhere_is_not_taken_up(here: Machine, there: Machine, name: str) -> None:
    run = here.run(name)
    run.says(ANSWER)
    second = there.on_bus("resume", name, "--script", there.script())
    assert second.returncode == Reason.RunLocked
    assert "running elsewhere" in second.stderr
    assert not there.directory(name).exists()
    assert here.on_bus("deny", name, "4-1").returncode == 0
    assert run.ends() == 0


def test_other_documents_than_those_of_the_run_are_refused_with_the_difference(
    lost: Started, there: Machine, name: str
) -> None:
    done = there.on_bus("resume", name, "--script", there.script(), "--policy", "permissive")
    assert done.returncode == Reason.InvalidRun
    assert "policies.0.name" in done.stderr
    assert not there.directory(name).exists()


def test_a_directory_that_the_run_has_left_behind_is_refused(
    lost: Started, here: Machine, there: Machine, name: str
) -> None:
    run = resumed(there, name, "--script", there.script())
    run.says(ANSWER)
    assert here.on_bus("send", name, "more").returncode == 0
    assert here.on_bus("deny", name, "4-1").returncode == 0
    assert run.ends() == 0
    transcript = here.directory(name) / "ipc" / "agent" / "transcript"
    (transcript / "5.json").write_bytes((transcript / "4.json").read_bytes().replace(b'"seq":4', b'"seq":5'))
    late = here.on_bus("resume", name)
    assert late.returncode == Reason.InvalidRun
    assert "agent/transcript/5.json: is not what the bus has" in late.stderr


def test_a_run_that_has_ended_is_not_taken_up(here: Machine, there: Machine, name: str) -> None:
    run = here.run(name)
    run.says(ANSWER)
    here.on_bus("deny", name, "4-1")
    assert run.ends() == 0
    late = there.on_bus("resume", name, "--script", there.script())
    assert late.returncode == Reason.RunFinished
    assert there.on_bus("resume", "nobody").returncode == Reason.RunNotFound
