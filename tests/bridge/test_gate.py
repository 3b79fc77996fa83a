"""The gate reads each call once, judges what it read, and nothing that the agent writes moves it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sympozium_bridge.gate import BEYOND, Gate
from sympozium_bridge.journal import Journal
from sympozium_bridge.places import Places
from sympozium_protocol import layout
from sympozium_protocol.clock import utc
from sympozium_protocol.files import digest, open_root
from sympozium_protocol.messages import (
    Answer,
    ApprovalSpec,
    Call,
    Cancel,
    FollowUp,
    Inbound,
    LimitSpec,
    ModelSpec,
    ParticipantSpec,
    PolicySpec,
    Question,
    RunResult,
    RunSpec,
    ToolSpec,
    Verdict,
)
from sympozium_protocol.messages.result import Durable

NOW = 1_800_000_000.0
PARTICIPANTS = (
    ParticipantSpec(
        name="ops",
        role="skill",
        tools=(ToolSpec(name="look", effect="read"), ToolSpec(name="execute_command")),
        commands=(),
    ),
    ParticipantSpec(name="model", role="model", tools=(ToolSpec(name="complete"),)),
)
ASK = PolicySpec(name="default", template="Default")


def spec_with(**changes: object) -> RunSpec:
    fields: dict[str, object] = {
        "run": "r1",
        "agent": "a",
        "created": utc(NOW),
        "input": "x",
        "model": ModelSpec(provider="scripted", model="m"),
        "participants": PARTICIPANTS,
        "policies": (ASK,),
        **changes,
    }
    return RunSpec(**fields)  # type: ignore[arg-type]


class Desk:
    """A gate over a scratch directory, and the files around it."""

    def __init__(self, path: Path, spec: RunSpec) -> None:
        self.path = path
        self.spec = spec
        for place in layout.places(tuple(p.name for p in spec.participants)):
            path.joinpath(*place).mkdir(parents=True, exist_ok=True)
        self.restart()

    def restart(self) -> None:
        names = tuple(p.name for p in self.spec.participants)
        self.gate = Gate(self.spec, Places.open(open_root(self.path), names, self.path, 1 << 30), Journal())

    def look(self, later: float = 0.0) -> None:
        self.gate.look(NOW + later)

    def call(self, call_id: str, tool: str = "look", participant: str = "ops", **arguments: object) -> bytes:
        data = Call(id=call_id, participant=participant, tool=tool, arguments=arguments).encode()
        self.put(data, *layout.calls(participant), f"{call_id}.json")
        return data

    def put(self, data: bytes, *where: str) -> None:
        aside = self.path / ".aside"
        aside.write_bytes(data)
        aside.rename(self.path.joinpath(*where))

    def verdict(self, call_id: str, participant: str = "ops") -> Verdict | None:
        file = self.path.joinpath(*layout.verdicts(participant), f"{call_id}.json")
        return Verdict.decode(file.read_bytes()) if file.exists() else None

    def question(self, call_id: str) -> Question | None:
        file = self.path.joinpath(*layout.questions("ops"), f"{call_id}.json")
        return Question.decode(file.read_bytes()) if file.exists() else None

    def answer(self, number: int, call_id: str, data: bytes, decision: str = "allow", reason: str = "") -> None:
        answer = Answer(
            participant="ops",
            id=call_id,
            digest=digest(data),
            decision=decision,  # type: ignore[arg-type]
            reason=reason,
            by="ann",
            time=utc(NOW),
        )
        self.put(answer.encode(), "console", f"{number}.json")

    def inbox(self) -> list[Inbound]:
        return [Inbound.decode(f.read_bytes()) for f in sorted(self.path.joinpath(*layout.INBOX).glob("*.json"))]


@pytest.fixture
def desk(tmp_path: Path) -> Callable[..., Desk]:
    return lambda **changes: Desk(tmp_path, spec_with(**changes))


def test_a_verdict_covers_the_digest_of_the_bytes_that_were_judged(desk: Callable[..., Desk]) -> None:
    d = desk()
    data = d.call("4-1")
    d.look()
    verdict = d.verdict("4-1")
    assert verdict is not None
    assert (verdict.decision, verdict.digest, verdict.by) == ("allow", digest(data), "default")


def test_a_call_is_read_once_so_a_change_after_the_verdict_changes_nothing(desk: Callable[..., Desk]) -> None:
    d = desk()
    data = d.call("4-1")
    d.look()
    d.call("4-1", harm=True)
    d.look(1)
    verdict = d.verdict("4-1")
    assert verdict is not None
    assert verdict.digest == digest(data)


def test_a_write_is_asked_about_and_the_question_shows_what_the_gate_read(desk: Callable[..., Desk]) -> None:
    d = desk()
    data = d.call("4-1", "execute_command", command="rm x")
    d.look()
    question = d.question("4-1")
    assert d.verdict("4-1") is None
    assert question is not None
    assert (question.arguments, question.digest, question.effect) == ({"command": "rm x"}, digest(data), "write")


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_the_first_answer_counts_and_its_reason_reaches_the_verdict(desk: Callable[..., Desk], decision: str) -> None:
    d = desk()
    data = d.call("4-1", "execute_command")
    d.look()
    d.answer(1, "4-1", data, decision, "since it is Friday")
    d.answer(2, "4-1", data, "deny" if decision == "allow" else "allow")
    d.look()
    verdict = d.verdict("4-1")
    assert verdict is not None
    assert (verdict.decision, verdict.by) == (decision, "person:ann")
    assert "since it is Friday" in verdict.reason


def test_an_answer_that_came_while_no_gate_was_there_counts(desk: Callable[..., Desk]) -> None:
    d = desk()
    data = d.call("4-1", "execute_command")
    d.look()
    d.restart()
    d.answer(1, "4-1", data)
    d.look()
    verdict = d.verdict("4-1")
    assert verdict is not None
    assert (verdict.decision, verdict.by) == ("allow", "person:ann")


def test_an_answer_for_other_bytes_or_before_the_question_decides_nothing(desk: Callable[..., Desk]) -> None:
    d = desk()
    data = Call(id="4-1", participant="ops", tool="execute_command").encode()
    d.answer(1, "4-1", data)
    d.look()
    d.call("4-1", "execute_command")
    d.look()
    d.answer(2, "4-1", b"something else")
    d.look()
    assert d.verdict("4-1") is None


def test_a_question_that_nobody_answers_expires_as_a_denial_even_after_a_restart(desk: Callable[..., Desk]) -> None:
    d = desk(approval=ApprovalSpec(expiry=60))
    d.call("4-1", "execute_command")
    d.look()
    d.restart()
    d.look(59)
    assert d.verdict("4-1") is None
    d.look(61)
    verdict = d.verdict("4-1")
    assert verdict is not None
    assert (verdict.decision, verdict.reason) == ("deny", "nobody answered within 60 s")


def test_with_nobody_to_ask_a_question_is_a_denial_at_once(desk: Callable[..., Desk]) -> None:
    d = desk(approval=ApprovalSpec(somebody=False))
    d.call("4-1", "execute_command")
    d.look()
    verdict = d.verdict("4-1")
    assert verdict is not None
    assert verdict.decision == "deny"
    assert "nobody to ask" in verdict.reason


def test_a_withdrawn_call_is_asked_about_no_longer(desk: Callable[..., Desk]) -> None:
    d = desk()
    d.call("4-1", "execute_command")
    d.look()
    d.path.joinpath(*layout.withdrawn("ops"), "4-1").touch()
    d.look()
    verdict = d.verdict("4-1")
    assert verdict is not None
    assert verdict.decision == "deny"


def test_tools_and_participants_that_the_run_does_not_have_are_denied(desk: Callable[..., Desk]) -> None:
    d = desk()
    d.call("4-1", "nothing")
    d.put(Call(id="4-2", participant="model", tool="look").encode(), *layout.calls("ops"), "4-2.json")
    d.look()
    denied = [d.verdict(call_id) for call_id in ("4-1", "4-2")]
    assert [v.decision for v in denied if v] == ["deny", "deny"]


@pytest.mark.parametrize(
    "make",
    [
        lambda p: p.touch(),
        lambda p: p.write_bytes(b'{"kind":"Call","id":"4-1"'),
        lambda p: p.write_bytes(b"\xff\xfe"),
        lambda p: p.write_bytes(b"{" + b" " * (1 << 20)),
        lambda p: os.mkfifo(p),
        lambda p: p.symlink_to("/etc/passwd"),
        lambda p: p.mkdir(),
    ],
    ids=["empty", "truncated", "not UTF-8", "oversized", "FIFO", "link", "directory"],
)
def test_what_is_no_call_is_denied_blocks_nobody_and_is_reported_once(
    desk: Callable[..., Desk], make: Callable[[Path], None], capfd: pytest.CaptureFixture[str]
) -> None:
    d = desk()
    make(d.path.joinpath(*layout.calls("ops"), "4-1.json"))
    d.call("4-2")
    for second in range(3):
        d.look(second)
    bad, good = d.verdict("4-1"), d.verdict("4-2")
    assert bad is not None
    assert good is not None
    assert (bad.decision, good.decision) == ("deny", "allow")
    assert capfd.readouterr().err.count("4-1.json") <= 1


@pytest.mark.parametrize("place", [("result.json",), ("transcript", "1.json")], ids=["result", "transcript"])
@pytest.mark.parametrize("make", [os.mkfifo, lambda p: p.symlink_to("/etc/passwd")], ids=["FIFO", "link"])
def test_what_cannot_be_put_on_a_disk_does_not_end_the_gate(
    desk: Callable[..., Desk], make: Callable[[Path], None], place: tuple[str, ...]
) -> None:
    d = desk()
    make(d.path.joinpath("agent", *place))
    d.call("4-1")
    for second in range(3):
        d.look(second)
    assert d.verdict("4-1") is not None


def test_wrong_names_are_never_acted_on_and_reported_once(
    desk: Callable[..., Desk], capfd: pytest.CaptureFixture[str]
) -> None:
    d = desk()
    data = d.call("4-1")
    for name in ("UPPER.json", "4-2", "4-2.json.bak", "..json", "-x.json"):
        d.put(data, *layout.calls("ops"), name)
    d.look()
    d.look(1)
    assert [f.name for f in d.path.joinpath(*layout.verdicts("ops")).iterdir()] == ["4-1.json"]
    assert capfd.readouterr().err.count("is not named") == 4


def test_calls_beyond_the_limit_are_denied_and_a_flood_is_not_read(desk: Callable[..., Desk]) -> None:
    d = desk(limits=LimitSpec(calls=2))
    for n in range(BEYOND + 10):
        d.call(f"4-{n:05d}")
    d.look()
    d.call("5-1")
    d.look(1)
    verdicts = [Verdict.decode(f.read_bytes()) for f in d.path.joinpath(*layout.verdicts("ops")).iterdir()]
    assert sum(v.decision == "allow" for v in verdicts) == 2
    assert len(verdicts) == 2 + BEYOND
    assert d.verdict("5-1") is None


def test_follow_ups_and_cancel_reach_the_inbox_once_whatever_restarts(desk: Callable[..., Desk]) -> None:
    d = desk()
    d.put(FollowUp(text="and then?", by="ann", time=utc(NOW)).encode(), "console", "1.json")
    d.put(b"garbage", "console", "2.json")
    d.put(Cancel(reason="enough", by="bob", time=utc(NOW)).encode(), "console", "3.json")
    d.look()
    d.restart()
    d.look(1)
    assert [(i.seq, i.type, i.text) for i in d.inbox()] == [(1, "message", "and then?"), (2, "cancel", "enough")]


def test_a_restarted_gate_judges_only_what_has_no_verdict(desk: Callable[..., Desk]) -> None:
    d = desk()
    d.call("4-1")
    d.look()
    before = d.path.joinpath(*layout.verdicts("ops"), "4-1.json").stat().st_ino
    d.restart()
    d.call("4-2")
    d.look(1)
    assert d.verdict("4-2") is not None
    assert d.path.joinpath(*layout.verdicts("ops"), "4-1.json").stat().st_ino == before


def test_a_write_is_refused_when_what_it_rests_on_cannot_be_made_durable(desk: Callable[..., Desk]) -> None:
    d = desk()
    d.path.joinpath(*layout.TRANSCRIPT, "1.json").symlink_to("/dev/null")
    d.call("m4-1", "complete", "model")
    d.look()
    verdict = d.verdict("m4-1", "model")
    assert verdict is not None
    assert verdict.decision == "deny"


def test_durable_is_said_once_the_result_is_there(desk: Callable[..., Desk]) -> None:
    d = desk()
    d.put(b"{}", *layout.TRANSCRIPT, "1.json")
    result = RunResult(run="r1", phase="Failed", reason="Timeout", start_time=utc(NOW), completion_time=utc(NOW))
    d.put(result.encode(), "agent", "result.json")
    d.look()
    assert Durable.decode((d.path / "bridge" / "durable").read_bytes()) == Durable(seq=1, result=True)
