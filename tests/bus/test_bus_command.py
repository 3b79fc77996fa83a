"""The command on a bus: runs start there, are followed and answered from anywhere, and are refused with a reason."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sympozium_protocol.exits import Reason
from tests.support.bus_command import SYMPOZIUM, Machine, until
from tests.support.bus_pod import Outside
from tests.support.nats import NatsServer


@pytest.fixture
def here(tmp_path: Path, shared_nats: NatsServer, request: pytest.FixtureRequest) -> Iterator[Machine]:
    home = tmp_path / "here"
    home.mkdir()
    machine = Machine(home, ("--bus", shared_nats.url))
    yield machine
    machine.end()


@pytest.fixture
def there(tmp_path: Path, here: Machine) -> Machine:
    """Another computer: it has the bus, and nothing of the runs of ``here``."""
    home = tmp_path / "there"
    home.mkdir()
    return Machine(home, here.bus)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A run's name that no other test of this server has."""
    return f"r-{abs(hash(request.node.nodeid)) % 10**12}"


ANSWER = "answer with: sympozium approve"


def test_a_run_that_waits_is_seen_and_approved_from_another_machine(here: Machine, there: Machine, name: str) -> None:
    run = here.run(name)
    run.says(f"{ANSWER} {name} 4-1 {' '.join(here.bus)}")
    shown = there.on_bus("runs", "show", name)
    assert "Waiting\n" in shown.stdout
    assert f"sympozium approve {name} 4-1" in shown.stdout
    approved = there.on_bus("approve", name, "4-1", "--reason", "go on")
    assert (approved.returncode, approved.stderr) == (0, "allowed 4-1: execute_command on shell\n")
    assert run.ends() == 0
    assert "go on" in run.text
    assert here.effects(name) == ["x"]


def test_a_denial_and_a_message_arrive_as_from_the_console(here: Machine, there: Machine, name: str) -> None:
    run = here.run(name)
    run.says(ANSWER)
    assert there.on_bus("send", name, "be quick").returncode == 0
    assert there.on_bus("deny", name, "4-1", "--reason", "not today").returncode == 0
    assert run.ends() == 0
    assert "It was denied." in run.text
    assert "not today" in run.text
    assert "be quick" in run.text
    assert here.effects(name) == []


def test_a_run_is_cancelled_over_the_bus(here: Machine, there: Machine, name: str) -> None:
    run = here.run(name)
    run.says(ANSWER)
    assert there.on_bus("cancel", name, "--reason", "enough").returncode == 0
    assert run.ends() == Reason.Cancelled


def test_errors_over_the_bus_are_those_of_the_console(here: Machine, there: Machine, name: str) -> None:
    run = here.run(name)
    run.says(ANSWER)
    for machine, more in ((here, ()), (there, there.bus)):
        wrong = machine("approve", name, "9-9", *more)
        assert wrong.returncode == Reason.MissingReference
        assert "9-9: there is no such question; open are: 4-1" in wrong.stderr
    there.on_bus("deny", name, "4-1")
    assert run.ends() == 0
    for machine, more in ((here, ()), (there, there.bus)):
        late = machine("send", name, "hello?", *more)
        assert (late.returncode, late.stderr) == (Reason.RunFinished, f"error: {name}: has ended\n")
    assert there.on_bus("approve", "nobody", "1-1").returncode == Reason.RunNotFound


def test_a_run_reads_the_same_on_the_bus_as_on_its_machine(here: Machine, there: Machine, name: str) -> None:
    run = here.run(name)
    run.says(ANSWER)
    here("approve", name, "4-1")
    assert run.ends() == 0
    own, other = here("runs", "show", name), there.on_bus("runs", "show", name)
    assert own.stdout == other.stdout
    assert "I write." in own.stdout
    documents = [
        json.loads(machine.on_bus("runs", "show", name, "--output", "json").stdout) for machine in (here, there)
    ]
    assert documents[0] == documents[1]
    assert there.on_bus("logs", name).stdout == own.stdout


def test_the_runs_of_a_bus_are_listed_as_those_of_a_machine(here: Machine, there: Machine, name: str) -> None:
    run = here.run(name)
    run.says(ANSWER)

    def listed(machine: Machine, *words: str) -> list[str]:
        """Its row, by columns: how wide they are follows from the names of all runs, and others are on the bus."""
        rows = map(str.split, machine("runs", "list", *words).stdout.splitlines())
        return next(row for row in rows if row[0] == name)

    assert "Unfinished" in listed(there, *there.bus)
    here("deny", name, "4-1")
    assert run.ends() == 0
    assert listed(there, *there.bus) == listed(here)
    assert there.on_bus("runs", "list", "--namespace", "other").stdout == ""


def test_following_shows_the_past_and_what_comes_and_ends_with_the_run(
    here: Machine, there: Machine, name: str
) -> None:
    run = here.run(name)
    run.says(ANSWER)
    remote, local = there.start("logs", "-f", name, *there.bus), here.start("logs", "-f", name)
    for seen in (remote, local):
        seen.says("asks for approval")
    here("approve", name, "4-1")
    assert run.ends() == 0
    assert (remote.ends(), local.ends()) == (0, 0)
    for seen in (remote, local):
        assert seen.text.count("I write.") == 1
        assert seen.text.count("It was ok.") == 1
        assert seen.text.rstrip().splitlines()[-2] == "Succeeded Completed"


def test_the_name_of_the_environments_bus_is_enough_for_a_run_that_is_not_here(
    here: Machine, there: Machine, name: str
) -> None:
    run = here.run(name)
    run.says(ANSWER)
    env = {"SYMPOZIUM_BUS": here.bus[1]}
    assert there("deny", name, "4-1", **env).returncode == 0
    assert run.ends() == 0
    assert there("runs", "show", name, **env).returncode == 0
    assert there("runs", "show", name).returncode == Reason.RunNotFound


def test_a_name_that_is_taken_on_the_bus_is_refused_and_leaves_nothing(
    here: Machine, there: Machine, name: str
) -> None:
    run = here.run(name)
    run.says(ANSWER)
    twin = there.run(name)
    assert twin.ends() == Reason.Usage
    assert f"{name}: the bus has a run of this name in the namespace default already" in twin.text
    assert not there.directory(name).exists()
    here("deny", name, "4-1")
    assert run.ends() == 0


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--bus", "nats://127.0.0.1:1"), Reason.BusRefused, "connection refused; is its server running"),
        (("--bus", "http://x"), Reason.Usage, "not a URL such as nats://HOST:4222"),
        (("--bus", "nats://me:secret@x"), Reason.Usage, "give the token as a file instead"),
        (("--bus", "nats://127.0.0.1:1", "--bus-token", "nowhere"), Reason.Usage, "--bus-token: nowhere: there is no"),
        (("--bus-key", "nowhere"), Reason.Usage, "--bus-key: needs --bus"),
        (("--elsewhere", "model"), Reason.Usage, "model would answer over a bus; name one with --bus"),
        (("--elsewhere", "moodle"), Reason.Usage, "moodle: is no participant of this run"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_started(
    options: tuple[str, ...], code: Reason, said: str, tmp_path: Path
) -> None:
    machine = Machine(tmp_path, ())
    done = machine("run", "do it", *options)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert not machine.runs.exists() or not list(machine.runs.iterdir())


def test_only_the_gate_is_told_of_the_bus(here: Machine, name: str) -> None:
    run = here.run(name)
    run.says(ANSWER)
    told = {}
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            environment = Path("/proc", entry, "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        found = dict(pair.partition(b"=")[::2] for pair in environment)
        if str(here.directory(name)).encode() in found.get(b"SYMPOZIUM_IPC", b""):
            told[found[b"SYMPOZIUM_PARTICIPANT"].decode()] = b"SYMPOZIUM_BUS" in found
    assert told.pop("bridge")
    assert set(told) >= {"agent", "model", "shell"}
    assert not any(told.values())


def test_what_nobody_serves_elsewhere_is_a_tool_that_is_unavailable(here: Machine, there: Machine, name: str) -> None:
    steps: list[dict[str, object]] = [
        {"call": [{"tool": "send_channel_message", "arguments": {"channel": "slack", "text": "hi"}, "save": "r"}]},
        {"say": "It was ${r.outcome}."},
    ]
    script = here.script(steps)
    options = ("--policy", "permissive", "--approve", "all", "--elsewhere", "channels", "--script", script)
    done = here.on_bus("run", "tell them", "--dir", str(here.directory(name)), *options)
    assert (done.returncode, done.stdout) == (0, "It was unavailable.\n")
    told = json.loads(there.on_bus("runs", "show", name, "--output", "json").stdout)
    placed = {one["name"]: one.get("placement") for one in told["run"]["participants"]}
    assert placed["channels"] == "bus"


def test_a_reader_that_loses_the_bus_goes_on_without_gap_or_repeat(tmp_path: Path, nats_server: NatsServer) -> None:
    home = tmp_path / "home"
    home.mkdir()
    machine = Machine(home, ("--bus", nats_server.url))
    try:
        run = machine.run("long")
        run.says(ANSWER)
        seen = machine.start("logs", "-f", "long", *machine.bus)
        seen.says("asks for approval")
        nats_server.kill()
        seen.says("the bus is away")
        nats_server.start()
        seen.says("the bus is back")
        machine.on_bus("approve", "long", "4-1")
        assert run.ends() == 0
        assert seen.ends() == 0
        for words in ("I write.", "asks for approval", "4-1 allowed by", "It was ok.", "Succeeded Completed"):
            assert seen.text.count(words) == 1, words
        assert "{" not in seen.text, "a terminal is no log"
    finally:
        machine.end()


def test_progress_is_shown_live_at_a_terminal(here: Machine, there: Machine, name: str) -> None:
    line = "until [ -e go ]; do echo step; sleep 0.1; done"  # what was said before somebody listens is lost
    steps: list[dict[str, object]] = [
        {"call": [{"tool": "execute_command", "arguments": {"command": line}}]},
        {"say": "done"},
    ]
    options = ("--policy", "permissive", "--script", here.script(steps), "--dir", str(here.directory(name)))
    run = here.start("run", "wait", *options, *here.bus)
    run.says("execute_command")
    master, slave = pty.openpty()
    follower = subprocess.Popen(
        [SYMPOZIUM, "logs", "-f", name, *there.bus], env=there.environment(), stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    seen = bytearray()

    def shown(words: str) -> Callable[[], bool]:
        def look() -> bool:
            seen.extend(os.read(master, 65536))
            return words in seen.decode(errors="replace")

        return look

    try:
        until(shown("│ step"), "progress is shown")
        (here.directory(name) / "workspace" / "go").touch()
        assert run.ends() == 0
        until(shown("Succeeded"), "the end is shown")
        assert follower.wait(30) == 0
    finally:
        follower.kill()
        follower.wait()
        os.close(master)


def test_control_c_ends_following_and_not_the_run(here: Machine, there: Machine, name: str) -> None:
    run = here.run(name)
    run.says(ANSWER)
    follower = there.start("logs", "-f", name, *there.bus)
    follower.says("asks for approval")
    follower.process.send_signal(signal.SIGINT)
    assert follower.ends() == 0
    assert "error" not in follower.text
    assert there.on_bus("deny", name, "4-1").returncode == 0
    assert run.ends() == 0


def test_who_follows_is_told_when_nobody_runs_it_any_more(here: Machine, there: Machine, name: str) -> None:
    run = here.run(name)
    run.says(ANSWER)
    follower = there.start("logs", "-f", name, *there.bus)
    follower.says("asks for approval")
    run.process.send_signal(signal.SIGTERM)
    follower.says(f"nobody runs it now; it goes on with: sympozium resume {name}")
    follower.process.send_signal(signal.SIGINT)
    assert follower.ends() == 0
    assert run.ends() == Reason.Suspended


def test_nothing_is_left_of_what_readers_copied(here: Machine, there: Machine, name: str, tmp_path: Path) -> None:
    run = here.run(name)
    run.says(ANSWER)
    place = tmp_path / "tmp"
    place.mkdir()
    there.on_bus("runs", "show", name, TMPDIR=str(place))
    follower = there.start("logs", "-f", name, *there.bus, TMPDIR=str(place))
    follower.says("asks for approval")
    assert len(list(place.iterdir())) == 1
    follower.process.send_signal(signal.SIGTERM)
    assert follower.ends() == 0
    assert list(place.iterdir()) == []


def test_what_the_bus_does_not_have_is_not_found(shared_nats: NatsServer, there: Machine, name: str) -> None:
    Outside(shared_nats.url).make_stream()
    assert there.on_bus("logs", name).returncode == Reason.RunNotFound
    assert there.on_bus("runs", "show", "./directory").returncode == Reason.Usage


def test_the_model_gateway_of_another_machine_answers_a_run_that_has_none(
    here: Machine, there: Machine, name: str
) -> None:
    program = SYMPOZIUM.with_name("sympozium-model")
    log = there.home / "model.log"
    with log.open("wb") as output:
        service = subprocess.Popen(
            [program, "--bus", "--provider", "scripted", "--service", name],
            env={**there.environment(), "SYMPOZIUM_BUS": there.bus[1]},
            stderr=output,
        )
    try:
        until(lambda: "on the bus" in log.read_text(), "the gateway serves")
        run = here.run(name, "--elsewhere", f"model={name}")
        run.says(ANSWER)
        assert not (here.directory(name) / "logs" / "model.log").exists()
        assert there.on_bus("approve", name, "4-1").returncode == 0
        assert run.ends() == 0
        assert "It was ok." in run.text
    finally:
        service.terminate()
        service.wait(30)
