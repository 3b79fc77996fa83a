"""A run written down again from its stream: whole, in order, and with nothing in it that its writer may not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Record, Records, record_parts
from sympozium_protocol.bus.gather import BadRecord
from sympozium_protocol.bus.mirror import Mirror, mark_started
from sympozium_protocol.bus.reader import Stored
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.clock import utc
from sympozium_protocol.files import digest, open_root
from sympozium_protocol.messages import Completion, ParticipantSpec, Reply, Started, TextPart, ToolSpec, Verdict
from tests.support.bus_pod import MODEL, NOW, OPS, spec_of

FAR = ParticipantSpec(name="far", placement="bus", tools=(ToolSpec(name="look"),))
SPEC = spec_of("r1", participants=(OPS, MODEL, FAR))
RUN = RunKey.of(SPEC)


class Stream:
    """Messages as a reader would deliver them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.mirror = Mirror(RUN, open_root(path))
        self.seq = 0
        self.say("run/run.json", SPEC.encode())

    def say(self, path: str, data: bytes, subject: str = "") -> list[str]:
        """Each part is a message of its own."""
        return [path for record in record_parts(path, data) for path in self.hear(record, subject)]

    def hear(self, record: Record, subject: str = "") -> list[str]:
        self.seq += 1
        message = Records(records=(record,)).encode()
        return self.mirror.take(Stored(self.seq, subject or subjects.records(RUN), utc(NOW), message))

    def elsewhere(self, path: str, data: bytes, call: str = "1-1", participant: str = "far") -> list[str]:
        return self.say(path, data, subjects.elsewhere(RUN, participant, call))


@pytest.fixture
def stream(tmp_path: Path) -> Stream:
    return Stream(tmp_path / "ipc")


def reply(text: str = "done", **changes: object) -> bytes:
    fields = {"id": "1-1", "digest": "0" * 64, "outcome": "ok", "content": (TextPart(text=text),)} | changes
    return Reply(**fields).encode()  # type: ignore[arg-type]


def test_files_are_written_once_whole_and_as_they_were(stream: Stream) -> None:
    body = bytes(range(256)) * 3000
    assert stream.say(f"ops/blobs/{digest(body)}", body) == [f"ops/blobs/{digest(body)}"]
    assert (stream.path / f"ops/blobs/{digest(body)}").read_bytes() == body
    garbage = b"\xff\x00 no JSON"
    assert stream.say("agent/calls/ops/1-1.json", garbage) == ["agent/calls/ops/1-1.json"]
    assert (stream.path / "agent/calls/ops/1-1.json").read_bytes() == garbage
    assert stream.say("agent/calls/ops/1-1.json", garbage) == []
    with pytest.raises(BadRecord, match="is there already, and another"):
        stream.say("agent/calls/ops/1-1.json", b"{}")


@pytest.mark.parametrize(
    "path",
    ["agent/../console/1.json", "bridge/alive", "console/1.json", "ops/tools/1.json", "agent/blobs/abc",
     "agent/replies/1-1.json", "run/replies/1-1.json", "ops/started/1-1.json/x"],
)  # fmt: skip
def test_paths_that_no_record_may_have_are_refused(path: str, stream: Stream) -> None:
    with pytest.raises(ValueError, match=r"path|no file that"):
        stream.say(path, b"{}")


def test_a_body_that_is_not_what_its_name_says_is_refused(stream: Stream) -> None:
    with pytest.raises(BadRecord, match="is not what its name says"):
        stream.say(f"ops/blobs/{digest(b'one')}", b"another")


def test_parts_that_do_not_follow_each_other_are_refused_and_may_begin_anew(stream: Stream) -> None:
    body = b"x" * 600_000
    path = f"ops/blobs/{digest(body)}"
    first, second, _ = record_parts(path, body)
    for record in (first, first, second):
        stream.hear(record)
    with pytest.raises(BadRecord, match="parts that do not fit"):
        stream.hear(second)
    assert stream.say(path, body) == [path]


def test_a_run_begins_with_its_own_runspec(tmp_path: Path) -> None:
    (tmp_path / "ipc").mkdir()
    mirror = Mirror(RUN, open_root(tmp_path / "ipc"))
    other = Records(records=tuple(record_parts("run/run.json", spec_of("r2").encode()))).encode()
    with pytest.raises(BadRecord, match="of another run"):
        mirror.take(Stored(1, subjects.records(RUN), utc(NOW), other))
    early = Records(records=tuple(record_parts("agent/result.json", b"{}"))).encode()
    with pytest.raises(BadRecord, match="begins with its RunSpec"):
        mirror.take(Stored(2, subjects.records(RUN), utc(NOW), early))


def test_the_gate_cannot_answer_for_one_elsewhere_but_that_nothing_was_done(stream: Stream) -> None:
    for forged in (reply(), reply(outcome="unavailable", completion=Completion(text="x")), b"{"):
        with pytest.raises(BadRecord):
            stream.say("far/replies/1-1.json", forged)
    with pytest.raises(BadRecord):
        stream.say("far/started/1-1", Started(id="1-1", digest="0" * 64).encode())
    assert stream.say("far/replies/1-1.json", reply(outcome="unavailable")) == ["far/replies/1-1.json"]


def test_the_first_word_on_a_call_elsewhere_counts(stream: Stream) -> None:
    stream.elsewhere("far/started/1-1", Started(id="1-1", digest="0" * 64).encode())
    assert stream.elsewhere("far/started/1-1", Started(id="1-1", digest="1" * 64).encode()) == []
    assert stream.elsewhere("far/replies/1-1.json", reply("first")) == ["far/replies/1-1.json"]
    assert stream.elsewhere("far/replies/1-1.json", reply("second")) == []
    assert b"first" in (stream.path / "far/replies/1-1.json").read_bytes()


def test_one_elsewhere_speaks_of_its_own_call_alone(stream: Stream) -> None:
    for path in ("far/replies/2-1.json", "ops/replies/1-1.json", "bridge/verdicts/far/1-1.json"):
        with pytest.raises(BadRecord, match="may not say"):
            stream.elsewhere(path, reply())


def test_what_was_allowed_and_has_no_answer_counts_as_started(stream: Stream) -> None:
    def verdict(call: str, decision: str = "allow") -> None:
        found = Verdict(
            id=call, participant="ops", decision=decision, digest="a" * 64, by="gate", time=utc(NOW)  # type: ignore[arg-type]
        )  # fmt: skip
        stream.say(f"bridge/verdicts/ops/{call}.json", found.encode())

    verdict("1-1")
    verdict("1-2")
    verdict("1-3", "deny")
    stream.say("ops/replies/1-2.json", reply(id="1-2"))
    assert mark_started(stream.mirror.root, ["ops"]) == ["ops/started/1-1"]
    assert Started.decode((stream.path / "ops/started/1-1").read_bytes()).digest == "a" * 64
    assert mark_started(stream.mirror.root, ["ops"]) == []
