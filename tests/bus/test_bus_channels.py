"""Channels and schedules are participants that live elsewhere: whole runs call them, and a consumer answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.pod.play import Play
from tests.support.bus_pod import Outside, until
from tests.support.nats import NatsServer

TELL = {"tool": "send_channel_message", "arguments": {"channel": "ops", "text": "The disk is full."}, "save": "sent"}
PLAN = {
    "tool": "schedule_task",
    "arguments": {"action": "create", "name": "look", "schedule": "0 9 * * 1-5", "input": "Look."},
    "save": "made",
}
STEPS: list[dict[str, object]] = [
    {"say": "Telling.", "call": [TELL]},
    {"say": "Again tomorrow.", "call": [PLAN]},
    {"say": "${sent}, ${made}"},
]
CONSUMER = Path(__file__).with_name("office") / "consumer.py"
ELSEWHERE = ("--elsewhere", "channels=office", "--elsewhere", "schedules=office")


@pytest.fixture
def bus(shared_nats: NatsServer) -> str:
    Outside(shared_nats.url).make_stream()
    return shared_nats.url


@contextmanager
def consumer(url: str, path: Path) -> Iterator[Path]:
    """Ready when it is on the bus."""
    path.mkdir()
    log = path.parent / "consumer.log"
    command = [sys.executable, CONSUMER, "office", path]
    env = {**os.environ, "SYMPOZIUM_BUS": url}
    with log.open("wb") as out, subprocess.Popen(command, env=env, stderr=out) as found:
        until(lambda: "on the bus" in log.read_text(), "the consumer did not come")
        yield path
        found.terminate()


def play(path: Path, url: str) -> str:
    made = Play(path)
    run = made.run("--script", str(made.script(STEPS)), "--bus", url, *ELSEWHERE)
    assert run.code == 0, run.err
    return run.out


def test_a_run_tells_people_and_plans_another(bus: str, tmp_path: Path) -> None:
    with consumer(bus, tmp_path / "office") as office:
        assert play(tmp_path, bus).strip() == "send_channel_message done, schedule_task done"
        found = [json.loads(file.read_text()) for file in sorted(office.iterdir(), key=lambda file: file.name)]
    assert [one["tool"] for one in found] == ["send_channel_message", "schedule_task"]
    assert found[0]["arguments"] == {"channel": "ops", "text": "The disk is full."}


def test_with_nobody_there_both_are_unavailable(bus: str, tmp_path: Path) -> None:
    out = play(tmp_path, bus)
    assert "Nobody on the bus answers for channels now." in out
    assert "Nobody on the bus answers for schedules now." in out
