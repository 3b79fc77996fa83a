"""The first record of a run: where whoever made the pod has not told the stream of it, the gate does."""

from __future__ import annotations

import itertools
import signal
from pathlib import Path

import pytest

from sympozium_protocol.bus import subjects
from sympozium_protocol.bus.documents import Records, record_parts
from sympozium_protocol.bus.writer import append
from sympozium_protocol.exits import Reason
from sympozium_protocol.messages import RunSpec
from tests.support.bus_pod import Outside, Pod, spec_of, until
from tests.support.nats import NatsServer

_numbers = itertools.count(1)


@pytest.fixture
def outside(shared_nats: NatsServer) -> Outside:
    found = Outside(shared_nats.url)
    found.make_stream()
    return found


def paths(outside: Outside, pod: Pod) -> list[str]:
    return [found.path for found in outside.files(pod.run)]


def begins_with_the_spec(outside: Outside, pod: Pod) -> None:
    files = outside.files(pod.run)
    assert files[0].path == "run/run.json"
    assert files[0].data == pod.spec.encode()
    assert [found.path for found in files].count("run/run.json") == 1


def large(run: str) -> RunSpec:
    """One that comes in parts."""
    return spec_of(run, input="x" * 700_000)


def test_a_gate_begins_its_run_in_the_stream_and_goes_on(outside: Outside, tmp_path: Path) -> None:
    with Pod(tmp_path / "ipc", spec_of(f"b{next(_numbers)}"), outside.settings.url) as pod:
        pod.message()
        pod.call("1-1", tool="change")
        assert pod.verdict("1-1").decision == "allow"
        begins_with_the_spec(outside, pod)
        assert paths(outside, pod)[1:] == [
            "agent/transcript/1.json",
            "agent/calls/ops/1-1.json",
            "bridge/verdicts/ops/1-1.json",
        ]


def test_a_gate_that_reaches_the_bus_only_at_its_end_begins_its_run_too(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    outside = Outside(nats_server.url)
    outside.make_stream()
    nats_server.kill()
    with Pod(tmp_path / "ipc", spec_of("late"), nats_server.url) as pod:
        pod.message()
        until(lambda: '"bus away"' in pod.said())
        nats_server.start()
        assert pod.stop() == int(Reason.Suspended)
        begins_with_the_spec(outside, pod)
        assert "agent/transcript/1.json" in paths(outside, pod)


@pytest.mark.parametrize("count", range(1, 5))
def test_a_spec_of_which_some_parts_were_published_is_published_again(
    count: int, outside: Outside, tmp_path: Path
) -> None:
    spec = large(f"b{next(_numbers)}")
    pod = Pod(tmp_path / "ipc", spec, outside.settings.url)
    pod.env["SYMPOZIUM_FAILPOINT"] = f"published#{count}@{tmp_path}/killed"
    with pod:
        assert pod.ended() == -signal.SIGKILL
        pod.start()
        pod.message()
        until(lambda: "agent/transcript/1.json" in paths(outside, pod), pod.said())
        begins_with_the_spec(outside, pod)


def test_a_run_that_whoever_made_the_pod_began_is_not_begun_again(outside: Outside, tmp_path: Path) -> None:
    spec = large(f"b{next(_numbers)}")
    pod, last = Pod(tmp_path / "ipc", spec, outside.settings.url), 0
    for part in record_parts("run/run.json", spec.encode()):
        data = Records(writer="launcher", records=(part,)).encode()
        last = outside.do(lambda link, data=data, at=last: append(link, subjects.records(pod.run), data, last=at))  # type: ignore[misc]
    with pod:
        pod.message()
        until(lambda: "agent/transcript/1.json" in paths(outside, pod), pod.said())
        begins_with_the_spec(outside, pod)
        assert outside.messages(pod.run)[0].seq < last


def test_a_run_of_another_spec_under_that_name_ends_the_gate(outside: Outside, tmp_path: Path) -> None:
    spec = spec_of(f"b{next(_numbers)}")
    outside.begin(spec_of(spec.run, input="something else"))
    with Pod(tmp_path / "ipc", spec, outside.settings.url) as pod:
        assert pod.ended() == int(Reason.InvalidRun)
        assert "the stream has another run of this name" in pod.said()
