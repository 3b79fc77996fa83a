"""The agent waits for required participants; when it gives up it says what they said of themselves."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from sympozium_protocol import layout
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages import ParticipantSpec
from sympozium_protocol.messages.result import Durable, RunResult
from sympozium_protocol.process import Settings
from sympozium_protocol.unready import MOST, say_unready
from sympozium_runner.program import live
from tests.support.ipc import at, make_ipc, run_spec

AWAITED = ("slow", "silent", "optional")


@pytest.fixture
def ipc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose participants never come, and whose gate makes everything durable."""
    participants = tuple(
        ParticipantSpec(name=name, required=name != "optional") for name in (*AWAITED, run_spec().model.participant)
    )
    make_ipc(tmp_path, run_spec(participants=participants))
    with at(tmp_path, (layout.BRIDGE,)) as bridge:
        bridge.replace(layout.DURABLE_FILE, Durable(seq=0, result=True).encode())
    monkeypatch.setattr("sympozium_runner.loop.READY_WITHIN", 0.1)
    return tmp_path


def message_of(ipc: Path) -> str:
    """How the run ended."""
    with pytest.raises(ExceptionGroup) as ended:
        asyncio.run(live(Settings(ipc, "", "", ipc)))
    (fault,) = ended.value.exceptions
    assert isinstance(fault, Ended)
    assert fault.reason is Reason.ParticipantUnavailable
    with at(ipc, (layout.AGENT,)) as agent:
        return RunResult.decode(agent.read(layout.RESULT_FILE) or b"").message


def test_a_participant_that_does_not_come_is_named_with_what_it_said(ipc: Path) -> None:
    with at(ipc, ("slow",)) as own:
        say_unready(own, "waits for the moon")
        say_unready(own, "MCP servers are not ready:\n docs: it has not answered yet")
    assert message_of(ipc) == (
        "not ready within 0.1 s: slow (MCP servers are not ready: docs: it has not answered yet), silent"
    )


def test_what_is_no_file_or_no_text_or_too_long_is_no_fault_of_the_agent(ipc: Path) -> None:
    os.mkfifo(ipc / "slow/unready")
    (ipc / "silent/unready").write_bytes(b"\xff" + b"x" * 10_000)
    assert message_of(ipc) == f"not ready within 0.1 s: slow, silent (\ufffd{'x' * (MOST - 1)})"


def test_one_that_answers_from_elsewhere_may_take_longer_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = ParticipantSpec(name="far", placement="bus")
    make_ipc(tmp_path, run_spec(participants=(far, ParticipantSpec(name=run_spec().model.participant))))
    with at(tmp_path, (layout.BRIDGE,)) as bridge:
        bridge.replace(layout.DURABLE_FILE, Durable(seq=0, result=True).encode())
    monkeypatch.setattr("sympozium_runner.loop.READY_WITHIN", 0.1)
    monkeypatch.setattr("sympozium_runner.loop.ELSEWHERE_WITHIN", 0.3)
    assert message_of(tmp_path) == "not ready within 0.3 s: far"
