"""sympozium-restore: an empty directory has its run again from the stream, and the run goes on there."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sympozium_protocol.exits import Reason
from sympozium_protocol.files import digest
from sympozium_protocol.messages import BlobPart, PolicySpec, Reply, RunSpec
from tests.support.bus_command import ASKS, Machine, Started
from tests.support.bus_pod import WITHIN, Outside, Pod, spec_of, until
from tests.support.nats import NatsServer

RESTORE = Path(sys.executable).with_name("sympozium-restore")
CAREFUL = (PolicySpec(name="careful", template="Default"),)
ANSWER = "answer with: sympozium approve"
_numbers = itertools.count(1)


@dataclass
class Restored:
    """One life of the program."""

    code: int
    said: str


def start(ipc: Path, url: str, **env: str) -> subprocess.Popen[str]:
    told = {**os.environ, "SYMPOZIUM_IPC": str(ipc), "SYMPOZIUM_BUS": url, **env}
    return subprocess.Popen([RESTORE], env=told, stderr=subprocess.PIPE, text=True)


def restore(ipc: Path, url: str, **env: str) -> Restored:
    process = start(ipc, url, **env)
    _, said = process.communicate(timeout=WITHIN)
    return Restored(process.returncode, said)


def empty(path: Path, spec: RunSpec) -> Path:
    """A directory as a new pod has it: the RunSpec, and nothing else."""
    (path / "run").mkdir(parents=True)
    (path / "run/run.json").write_bytes(spec.encode())
    return path


def files(ipc: Path) -> dict[str, bytes]:
    """What a run's records are of, by path."""
    mine = ("alive", "durable", "writer", "unready")
    found = (one for one in ipc.rglob("*") if one.is_file() and one.name not in mine)
    return {str(one.relative_to(ipc)): one.read_bytes() for one in found}


@pytest.fixture
def outside(nats_server: NatsServer) -> Outside:
    found = Outside(nats_server.url)
    found.make_stream()
    return found


@pytest.fixture
def before(tmp_path: Path, nats_server: NatsServer, outside: Outside) -> Iterator[Pod]:
    """A run that did something, asked for something else, and whose pod is gone."""
    pod = Pod(tmp_path / "before", spec_of(f"again-{next(_numbers)}", policies=CAREFUL), nats_server.url)
    body = os.urandom(700_000)
    with pod:
        pod.message()
        data = pod.call("1-1")
        pod.verdict("1-1")
        pod.put(f"ops/blobs/{digest(body)}", body)
        part = BlobPart(digest=digest(body), size=len(body))
        pod.put("ops/replies/1-1.json", Reply(id="1-1", digest=digest(data), outcome="ok", content=(part,)).encode())
        pod.message()
        pod.call("2-1", "change")
        pod.question("2-1")
        pod.stop()
        yield pod


def test_an_empty_directory_has_all_of_the_run_and_what_was_asked_is_answered_there(
    before: Pod, outside: Outside, nats_server: NatsServer, tmp_path: Path
) -> None:
    outside.say(before.run, before.answer(before.question("2-1")), "answer", "ann")
    ipc = empty(tmp_path / "after", before.spec)
    done = restore(ipc, nats_server.url, SYMPOZIUM_RUN_DIGEST=digest(before.spec.encode()))
    assert (done.code, files(ipc)) == (0, files(before.path)), done.said
    with Pod(ipc, before.spec, nats_server.url) as after:
        assert after.verdict("2-1").by == "person:ann"
        assert not after.has("ops/started/2-1")  # nobody can have begun it before the answer


def test_what_was_allowed_and_has_no_answer_counts_as_begun(
    before: Pod, outside: Outside, nats_server: NatsServer, tmp_path: Path
) -> None:
    outside.say(before.run, before.answer(before.question("2-1")), "answer", "ann")
    with before:
        before.verdict("2-1")
        before.stop()
    ipc = empty(tmp_path / "after", before.spec)
    assert restore(ipc, nats_server.url).code == 0
    assert (
        digest((before.path / "agent/calls/ops/2-1.json").read_bytes()).encode()
        in (ipc / "ops/started/2-1").read_bytes()
    )
    assert [one.name for one in (ipc / "ops/started").iterdir()] == ["2-1"]


@pytest.mark.parametrize("point", ["file-restored", "file-restored#3", "file-restored#6", "restored"])
def test_killed_anywhere_it_is_done_again(point: str, before: Pod, nats_server: NatsServer, tmp_path: Path) -> None:
    ipc, mark = empty(tmp_path / "after", before.spec), tmp_path / "mark"
    killed = restore(ipc, nats_server.url, SYMPOZIUM_FAILPOINT=f"{point}@{mark}")
    assert (killed.code, mark.exists()) == (-signal.SIGKILL, True)
    done = restore(ipc, nats_server.url)
    assert (done.code, files(ipc)) == (0, files(before.path)), done.said


def test_it_waits_for_a_bus_that_is_away(before: Pod, nats_server: NatsServer, tmp_path: Path) -> None:
    ipc = empty(tmp_path / "after", before.spec)
    nats_server.kill()
    with start(ipc, nats_server.url) as process:
        assert process.stderr is not None
        assert "bus away" in process.stderr.readline()
        nats_server.start()
        assert process.wait(WITHIN) == 0
    assert files(ipc) == files(before.path)


def test_told_to_end_while_it_waits_it_ends(before: Pod, nats_server: NatsServer, tmp_path: Path) -> None:
    ipc = empty(tmp_path / "after", before.spec)
    nats_server.kill()
    with start(ipc, nats_server.url) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.terminate()
        assert process.wait(WITHIN) == Reason.Suspended


def test_a_stream_without_the_run_is_a_typed_failure(outside: Outside, nats_server: NatsServer, tmp_path: Path) -> None:
    done = restore(empty(tmp_path / "after", spec_of("nobody")), nats_server.url)
    assert done.code == Reason.NotDurable
    assert "nothing of this run" in done.said


def test_another_run_of_the_same_name_is_refused(before: Pod, nats_server: NatsServer, tmp_path: Path) -> None:
    other = before.spec.model_copy(update={"input": "something else"})
    done = restore(empty(tmp_path / "after", other), nats_server.url)
    assert done.code == Reason.InvalidRun
    assert "another run of this name" in done.said


def test_a_run_that_lives_elsewhere_is_left_alone(before: Pod, nats_server: NatsServer, tmp_path: Path) -> None:
    ipc = empty(tmp_path / "after", before.spec)
    with before:
        until(lambda: before.said().count("bus reached") == 2, before.said())
        assert restore(ipc, nats_server.url).code == Reason.RunLocked
    assert files(ipc) == {"run/run.json": before.spec.encode()}


def test_without_a_bus_it_says_what_is_missing(tmp_path: Path) -> None:
    done = restore(empty(tmp_path / "after", spec_of("nobody")), "")
    assert done.code == Reason.Usage
    assert "SYMPOZIUM_BUS" in done.said


# -- whole runs, with all programs ------------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path, shared_nats: NatsServer) -> Iterator[Machine]:
    found = Machine(tmp_path, ("--bus", shared_nats.url))
    yield found
    found.end()


@pytest.fixture
def again(machine: Machine, shared_nats: NatsServer) -> Callable[[str], Started]:
    """The run goes on in what was restored of it: its own directory holds nothing else of /ipc."""

    def go_on(name: str) -> Started:
        ipc = machine.directory(name) / "ipc"
        spec = RunSpec.decode((ipc / "run/run.json").read_bytes())
        shutil.rmtree(ipc)
        done = restore(empty(ipc, spec), shared_nats.url)
        assert done.code == 0, done.said
        return machine.start("resume", name)

    return go_on


def test_a_write_that_waited_for_a_person_is_done_once_by_the_next_attempt(
    machine: Machine, again: Callable[[str], Started]
) -> None:
    run = machine.run("waits")
    run.says(ANSWER)
    run.kill()
    assert machine.on_bus("approve", "waits", "4-1").returncode == 0
    second = again("waits")
    assert second.ends() == 0
    assert "written again" not in second.text  # nothing was missing
    assert "It was ok." in second.text
    assert machine.effects("waits") == ["x"]


def test_a_write_that_may_have_been_done_is_not_done_again(machine: Machine, again: Callable[[str], Started]) -> None:
    long = {"tool": "execute_command", "arguments": {"command": f"{ASKS}; sleep 60"}, "save": "r"}
    run = machine.run("writes", steps=[{"say": "I write.", "call": [long]}, {"say": "It was ${r.outcome}."}])
    run.says(ANSWER)
    assert machine.on_bus("approve", "writes", "4-1").returncode == 0
    until(lambda: machine.effects("writes") == ["x"])
    run.kill()
    second = again("writes")
    assert second.ends() == 0
    assert "It was interrupted." in second.text
    assert machine.effects("writes") == ["x"]
