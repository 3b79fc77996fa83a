"""A participant made with serve, as a process: what it answers, what it ignores, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sympozium_protocol.exits import Reason
from sympozium_protocol.files import open_root
from sympozium_protocol.messages import Effect, LimitSpec, Reply, RunSpec, Started, TextPart, ToolSpec
from tests.support import participant
from tests.support.ipc import (
    make_ipc,
    run_spec,
    send,
    wait_for,
    wait_manifest,
    wait_reply,
    wait_started,
    withdraw,
    write_call,
    write_verdict,
)

PROGRAM = Path(participant.__file__)


def spec_with(effect: Effect = "read", **changes: object) -> RunSpec:
    return run_spec("subject", *(ToolSpec(name=name, effect=effect) for name in participant.NAMES), **changes)


class World:
    """A scratch run and the program in it."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.ipc = base / "ipc"
        self.log = base / "log"
        self.effects = base / "effects"
        self.environment: dict[str, str] = {}
        self.processes: list[subprocess.Popen[bytes]] = []

    def make(self, spec: RunSpec) -> None:
        self.environment = {**os.environ, **make_ipc(self.ipc, spec), "EFFECTS": str(self.effects)}
        self.environment["PYTHONPATH"] = str(PROGRAM.parents[2])

    def start(self, number: int = 1, **environment: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(PROGRAM)], env={**self.environment, **environment}, stderr=log
            )
        self.processes.append(process)
        wait_manifest(self.ipc, number=number)
        return process

    def done(self) -> list[str]:
        return self.effects.read_text().split() if self.effects.exists() else []

    def has(self, place: str) -> bool:
        return os.path.lexists(self.ipc / place)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    found.make(spec_with())
    yield found
    for process in found.processes:
        process.kill()
        process.wait()


def words(reply: Reply) -> str:
    return "".join(part.text for part in reply.content if isinstance(part, TextPart))


def still_answers(world: World, call_id: str = "900-1") -> None:
    send(world.ipc, call_id, "echo", text="alive")
    assert words(wait_reply(world.ipc, call_id)) == "alive"


def test_a_call_with_a_verdict_is_started_answered_and_its_progress_removed(world: World) -> None:
    world.start()
    send(world.ipc, "1-1", "echo", text="hello")
    reply = wait_reply(world.ipc, "1-1")
    assert (reply.outcome, words(reply)) == ("ok", "hello")
    data = open_root(world.ipc).open(("subject", "started")).read("1-1")
    assert data is not None
    assert Started.decode(data).digest == reply.digest
    assert not world.has("subject/progress/1-1")


def test_a_call_changed_after_its_verdict_is_not_run(world: World) -> None:
    world.start()
    data = write_call(world.ipc, "1-1", "echo", text="good")
    path = world.ipc / "agent/calls/subject/1-1.json"
    path.write_bytes(data.replace(b"good", b"evil"))
    write_verdict(world.ipc, "1-1", data)
    still_answers(world)
    assert world.done() == ["900-1"]
    assert "was changed after its verdict" in world.log.read_text()


def test_a_verdict_without_a_call_is_reported_once(world: World) -> None:
    world.start()
    write_verdict(world.ipc, "1-1", b"nothing")
    still_answers(world)
    still_answers(world, "901-1")
    assert world.log.read_text().count("agent/calls/subject/1-1.json") == 1


@pytest.mark.parametrize("kind", ["fifo", "link", "directory", "socket", "oversized"])
@pytest.mark.parametrize("place", ["agent/calls/subject", "bridge/verdicts/subject"])
def test_what_is_no_regular_file_is_reported_once_and_blocks_nobody(world: World, kind: str, place: str) -> None:
    import socket

    world.start()
    data = write_call(world.ipc, "1-1", "echo", text="x")
    path = world.ipc / place / "1-1.json"
    path.unlink(missing_ok=True)
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "link":
            path.symlink_to(world.ipc / "run" / "run.json")
        case "directory":
            path.mkdir()
        case "oversized":
            path.write_bytes(b" " * ((1 << 20) + 1))
        case "socket":
            here = os.getcwd()
            os.chdir(path.parent)  # the path of a socket may have 107 bytes
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(path.name)
            os.chdir(here)
    if "calls" in place:
        write_verdict(world.ipc, "1-1", data)
    still_answers(world)
    still_answers(world, "901-1")
    assert world.log.read_text().count(f"{place}/1-1.json") == 1
    assert not world.has("subject/started/1-1")


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ("raises", "failed inside subject"),
        ("bad_file", "failed inside subject"),
        ("cancels_itself", "failed inside subject"),
        ("nothing", "failed inside subject"),
        ("no_number", "failed inside subject"),
        ("bad_schema", "bad_schema"),
        ("surrogate", "left out"),
        ("thing", "left out"),
        ("huge", "left out"),
    ],
)
def test_a_tool_that_misbehaves_is_an_answer_and_no_end(world: World, tool: str, expected: str) -> None:
    world.start()
    send(world.ipc, "1-1", tool, text="x")
    reply = wait_reply(world.ipc, "1-1")
    assert reply.outcome == "error"
    assert expected in words(reply)
    assert "/secret/path" not in words(reply)
    still_answers(world)


def test_arguments_that_do_not_fit_the_schema_are_an_answer_without_a_start(world: World) -> None:
    world.start()
    send(world.ipc, "1-1", "echo", text=7)
    reply = wait_reply(world.ipc, "1-1")
    assert reply.outcome == "error"
    assert "text" in words(reply)
    assert not world.has("subject/started/1-1")


def test_a_body_beyond_the_share_of_the_disk_is_an_answer(world: World, tmp_path: Path) -> None:
    world.ipc = tmp_path / "small"
    world.make(spec_with(limits=LimitSpec(disk=1 << 20)))
    world.start()
    send(world.ipc, "1-1", "hoards", size=900_000)
    reply = wait_reply(world.ipc, "1-1")
    assert reply.outcome == "error"
    assert "limits.disk" in words(reply)
    still_answers(world)


def test_a_reply_that_is_there_already_is_not_replaced_and_ends_nothing(world: World, tmp_path: Path) -> None:
    world.start()
    send(world.ipc, "1-1", "gate", until=str(tmp_path / "go"))
    wait_started(world.ipc, "1-1")
    forged = world.ipc / "subject/replies/1-1.json"
    forged.write_text("forged")
    (tmp_path / "go").touch()
    wait_for(lambda: "is there already" in world.log.read_text() or None, "report")
    still_answers(world)
    assert forged.read_text() == "forged"


def test_a_started_file_that_is_there_already_keeps_the_call_from_being_done(world: World) -> None:
    world.start()
    data = write_call(world.ipc, "1-1", "echo", text="x")
    (world.ipc / "subject/started/1-1").write_text("forged")
    write_verdict(world.ipc, "1-1", data)
    assert wait_reply(world.ipc, "1-1").outcome == "error"
    still_answers(world)
    assert world.done() == ["900-1"]


def test_a_call_withdrawn_before_its_start_is_not_done(world: World) -> None:
    world.start()
    withdraw(world.ipc, "1-1")
    send(world.ipc, "1-1", "echo", text="x")
    still_answers(world)
    assert world.done() == ["900-1"]
    assert not world.has("subject/replies/1-1.json")


def test_a_call_withdrawn_after_its_start_is_stopped_with_what_it_had(world: World) -> None:
    world.start()
    send(world.ipc, "1-1", "partial")
    wait_started(world.ipc, "1-1")
    wait_for(lambda: world.has("subject/progress/1-1") or None, "progress")
    withdraw(world.ipc, "1-1")
    reply = wait_reply(world.ipc, "1-1")
    assert (reply.outcome, reply.details) == ("cancelled", {"done": 1})
    assert not world.has("subject/progress/1-1")


def test_a_call_that_takes_longer_than_its_timeout_is_stopped(world: World) -> None:
    world.start()
    send(world.ipc, "1-1", "partial", timeout=0.05)
    assert wait_reply(world.ipc, "1-1").outcome == "timeout"
    still_answers(world)


def test_a_tool_that_cannot_be_stopped_is_answered_for(world: World) -> None:
    world.start()
    send(world.ipc, "1-1", "stubborn", timeout=0.05)
    assert wait_reply(world.ipc, "1-1").outcome == "timeout"
    still_answers(world)


def test_no_more_than_eight_calls_are_in_flight_and_the_others_follow(world: World, tmp_path: Path) -> None:
    world.start()
    for n in range(1, 13):
        send(world.ipc, f"1-{n}", "gate", until=str(tmp_path / "go"))
    wait_for(lambda: len(world.done()) >= 8 or None, "eight calls")
    started = open_root(world.ipc).open(("subject", "started"))
    assert len(started.names()) == 8
    (tmp_path / "go").touch()
    assert {wait_reply(world.ipc, f"1-{n}").outcome for n in range(1, 13)} == {"ok"}
    assert len(world.done()) == 12


@pytest.mark.parametrize("effect", ["write", "read", "idempotent"])
@pytest.mark.parametrize("point", ["started", "effect", "before-reply", "replied"])
def test_a_crash_never_does_a_write_twice_and_everything_else_to_the_end(
    world: World, tmp_path: Path, effect: Effect, point: str
) -> None:
    world.ipc = tmp_path / "second"
    world.make(spec_with(effect))
    process = world.start(SYMPOZIUM_FAILPOINT=f"{point}@{tmp_path / 'died'}")
    send(world.ipc, "1-1", "echo", text="x")
    assert process.wait(20) == -signal.SIGKILL
    world.start(number=2)
    reply = wait_reply(world.ipc, "1-1")
    answered = point == "replied"
    assert reply.outcome == ("interrupted" if effect == "write" and not answered else "ok")
    if effect == "write":
        assert len(world.done()) == (0 if point == "started" else 1)
    else:
        assert len(world.done()) == (1 if point in ("started", "replied") else 2)


def test_a_verdict_older_than_the_program_is_acted_on_once_it_lives(world: World) -> None:
    send(world.ipc, "1-1", "echo", text="early")
    world.start()
    assert words(wait_reply(world.ipc, "1-1")) == "early"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff"])
def test_a_damaged_started_file_counts_as_started(world: World, tmp_path: Path, content: bytes) -> None:
    world.ipc = tmp_path / "second"
    world.make(spec_with("write"))
    send(world.ipc, "1-1", "echo", text="x")
    (world.ipc / "subject/started/1-1").write_bytes(content)
    (world.ipc / "subject/started/NO ID").write_bytes(content)
    world.start()
    assert wait_reply(world.ipc, "1-1").outcome == "interrupted"
    still_answers(world)
    assert world.done() == ["900-1"]


@pytest.mark.parametrize("tool", ["partial", "stubborn", "blocking"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_leaves_the_call_to_the_next_life(world: World, tool: str, number: signal.Signals) -> None:
    process = world.start()
    send(world.ipc, "1-1", tool)
    wait_started(world.ipc, "1-1")
    process.send_signal(number)
    assert process.wait(20) == Reason.Suspended
    assert not world.has("subject/replies/1-1.json")


def started_with(world: World, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(PROGRAM)],
        env={**world.environment, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    return done.returncode, done.stderr


def break_json(world: World) -> None:
    path = world.ipc / "run/run.json"
    path.write_bytes(path.read_bytes()[:-5])


def link_run(world: World) -> None:
    path = world.ipc / "run"
    path.rename(world.base / "elsewhere")
    path.symlink_to(world.base / "elsewhere")


def fifo_run(world: World) -> None:
    path = world.ipc / "run/run.json"
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda world: (world.ipc / "run/run.json").unlink(), "run/run.json: is not there"),
        (fifo_run, "a FIFO"),
        (link_run, "run: is not a directory"),
        (lambda world: break_json(world), "is not the RunSpec that this program was started for"),
    ],
)
def test_a_run_that_cannot_be_read_ends_the_program_with_its_reason(
    world: World, change: Callable[[World], None], expected: str
) -> None:
    change(world)
    code, said = started_with(world)
    assert code == Reason.InvalidRun
    assert expected in said


def test_a_participant_that_the_run_does_not_have_is_told_so(world: World) -> None:
    code, said = started_with(world, SYMPOZIUM_PARTICIPANT="another")
    assert code == Reason.InvalidRun
    assert "another" in said


def test_a_tool_that_the_run_does_not_give_is_refused(world: World, tmp_path: Path) -> None:
    world.ipc = tmp_path / "second"
    world.make(run_spec("subject", ToolSpec(name="echo")))
    code, said = started_with(world)
    assert code == Reason.ManifestRefused
    assert "this run gives subject no tool" in said


def test_a_tool_that_is_offered_later_is_published_in_a_further_manifest_and_answered(
    world: World, tmp_path: Path
) -> None:
    world.ipc = tmp_path / "third"
    names = (*participant.NAMES, "late")
    world.make(run_spec("subject", *(ToolSpec(name=name, effect="read") for name in names)))
    world.start()
    send(world.ipc, "1-1", "grow", name="late")
    manifest = wait_manifest(world.ipc, number=2)
    assert [tool.name for tool in manifest.tools] == list(names)
    send(world.ipc, "1-2", "late", text="here")
    assert wait_reply(world.ipc, "1-2").content == (TextPart(text="here"),)


def test_a_tool_that_is_offered_later_and_that_the_run_does_not_give_ends_the_program(world: World) -> None:
    process = world.start()
    send(world.ipc, "1-1", "grow", name="stranger")
    assert process.wait(10) == Reason.ManifestRefused
    assert "this run gives subject no tool stranger" in world.log.read_text()
