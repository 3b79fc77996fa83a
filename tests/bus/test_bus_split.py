"""One run has one gate: whoever took it up elsewhere shuts out the one that was away, and nothing is done twice."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from sympozium_protocol.bus.mirror import Mirror
from sympozium_protocol.exits import Reason
from sympozium_protocol.files import digest
from sympozium_protocol.messages import BlobPart, PolicySpec, Reply
from tests.support.bus_pod import Outside, Pod, spec_of, until
from tests.support.nats import NatsServer
from tests.support.proxy import Between

_numbers = itertools.count(1)
CAREFUL = (PolicySpec(name="careful", template="Default"),)


def taken_up(pod: Pod, path: Path, url: str) -> Pod:
    """The run in another directory, written from the stream."""
    other = Pod(path, pod.spec, url)
    (path / "run/run.json").unlink()
    mirror = Mirror(pod.run, other.root)
    for message in Outside(url).messages(pod.run):
        mirror.take(message)
    return other


@pytest.mark.parametrize("fault", ["cut", "freeze"])
def test_a_gate_that_was_away_while_its_run_was_taken_up_elsewhere_ends_and_lets_nothing_pass(
    fault: str, nats_server: NatsServer, tmp_path: Path
) -> None:
    outside = Outside(nats_server.url)
    outside.make_stream()
    spec = spec_of(f"r{next(_numbers)}", policies=CAREFUL)
    outside.begin(spec)
    with Between(nats_server.port) as between, Pod(tmp_path / "a", spec, between.url) as away:
        away.message()
        away.call("1-1", "change")
        question = away.question("1-1")
        until(lambda: any("questions" in found.path for found in outside.files(away.run)))
        between.cut() if fault == "cut" else between.freeze()
        with taken_up(away, tmp_path / "b", nats_server.url) as here:
            until(lambda: outside.last(here.run).startswith("bridge/gates/") and "bus reached" in here.said())
            between.heal()
            outside.say(here.run, here.answer(question), "answer")
            assert here.verdict("1-1").decision == "allow"
            assert away.ended() == Reason.RunLocked
            assert not away.has("bridge/verdicts/ops/1-1.json")


def test_a_restored_run_that_went_on_meanwhile_is_to_be_restored_again(nats_server: NatsServer, tmp_path: Path) -> None:
    outside = Outside(nats_server.url)
    outside.make_stream()
    spec = spec_of(f"r{next(_numbers)}")
    outside.begin(spec)
    with Pod(tmp_path / "a", spec, nats_server.url) as first:
        first.message()
        first.call("1-1", "change")
        first.verdict("1-1")
        second = taken_up(first, tmp_path / "b", nats_server.url)
        first.message()
        first.call("2-1", "change")
        first.verdict("2-1")
        first.kill()
        assert second.start().ended() == Reason.InvalidRun
        assert "is in the run's stream but not here" in second.said()
        assert not second.has("bridge/verdicts/ops/2-1.json")


def test_words_that_are_no_records_end_a_run_with_a_typed_reason(nats_server: NatsServer, tmp_path: Path) -> None:
    outside = Outside(nats_server.url)
    outside.make_stream()
    spec = spec_of(f"r{next(_numbers)}")
    outside.begin(spec)
    with Pod(tmp_path / "a", spec, nats_server.url) as pod:
        pod.message()
        pod.call("1-1", "change")
        pod.verdict("1-1")
        outside.do(lambda link: link.request(f"sympozium.run.{pod.run}.records", b"garbage"))
        assert pod.ended() == Reason.InvalidRun


def test_what_json_makes_large_fits_all_the_same(nats_server: NatsServer, tmp_path: Path) -> None:
    outside = Outside(nats_server.url)
    outside.make_stream()
    spec = spec_of(f"r{next(_numbers)}")
    outside.begin(spec)
    pod = Pod(tmp_path / "a", spec, nats_server.url)
    for number in range(1, 400):
        pod.put(f"agent/calls/ops/{number}-1.json", b"\0" * 1000)
    with pod:
        pod.message()
        pod.call("1000-1", "change")
        pod.verdict("1000-1")
        assert outside.last(pod.run) == "bridge/verdicts/ops/1000-1.json"


def test_a_body_that_changes_while_it_waits_is_left_out_and_read_by_nobody(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    outside = Outside(nats_server.url)
    outside.make_stream()
    spec = spec_of(f"r{next(_numbers)}")
    outside.begin(spec)
    body = os.urandom(1 << 20)
    with Pod(tmp_path / "a", spec, nats_server.url) as pod:
        pod.message()
        data = pod.call("1-1")
        pod.verdict("1-1")
        nats_server.kill()
        pod.put(f"ops/blobs/{digest(body)}", body)
        part = BlobPart(digest=digest(body), size=len(body))
        pod.put("ops/replies/1-1.json", Reply(id="1-1", digest=digest(data), outcome="ok", content=(part,)).encode())
        pod.message()
        pod.call("2-1")
        pod.verdict("2-1")
        with (pod.path / f"ops/blobs/{digest(body)}").open("r+b") as file:
            file.write(b"other")
        nats_server.start()
        until(lambda: outside.last(pod.run) == "bridge/verdicts/ops/2-1.json", pod.said())
        paths = [found.path for found in outside.files(pod.run)]
    assert "ops/replies/1-1.json" in paths
    assert f"ops/blobs/{digest(body)}" not in paths
