"""Replay: the real program answers from a recorded run, until the new run says something else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sympozium_protocol import layout
from sympozium_protocol.clock import utc
from sympozium_protocol.messages import (
    AskedTool,
    AssistantMessage,
    Completion,
    Message,
    ModelSpec,
    ParticipantSpec,
    Reply,
    SystemMessage,
    TextPart,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from tests.support.scratch import NOW, Ipc, make_ipc, run_spec, soon

MODEL = ParticipantSpec(name="model", role="model", tools=(ToolSpec(name="complete"),))
THEN, NOW_AGAIN = utc(NOW), utc(NOW + 5000)


def opening(time: str, question: str = "What is so?") -> list[Message]:
    return [SystemMessage(seq=1, time=time, text=f"It is {time}."), UserMessage(seq=2, time=time, text=question)]


def answer(time: str, text: str) -> ToolMessage:
    return ToolMessage(seq=4, time=time, call="3-1", tool="look", outcome="ok", content=(TextPart(text=text),))


def put(ipc: Ipc, *messages: Message) -> None:
    for message in messages:
        ipc.put(message.encode(), *layout.TRANSCRIPT, f"{message.seq}.json")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two turns: a look, and an answer."""
    ipc = make_ipc(tmp_path / "old", run_spec(MODEL))
    turns = {
        3: Completion(text="I look.", tool_calls=(AskedTool(name="look", arguments={}),), finish="tools"),
        5: Completion(text="All is well."),
    }
    put(ipc, *opening(THEN), answer(THEN, "fine"))
    for seq, turn in turns.items():
        reply = Reply(id=f"m{seq}-1", digest="0" * 64, outcome="ok", completion=turn)
        ipc.put(reply.encode(), *layout.replies("model"), f"m{seq}-1.json")
        put(ipc, AssistantMessage(seq=seq, time=THEN, call=f"m{seq}-1", text=turn.text))
    return tmp_path / "old"


@pytest.fixture
def replay(recording: Path, tmp_path: Path) -> Iterator[Callable[..., Ipc]]:
    """The gateway over a new run with these messages."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*messages: Message) -> Ipc:
        model = ModelSpec(provider="replay", model="m", recording=str(recording))
        ipc = make_ipc(tmp_path / "new", run_spec(MODEL, model=model))
        put(ipc, *messages)
        env = {"PATH": os.environ["PATH"], "SYMPOZIUM_IPC": str(tmp_path / "new")}
        started.append(subprocess.Popen([Path(sys.executable).with_name("sympozium-model")], env=env))
        return ipc

    yield start
    for process in started:
        process.terminate()
        process.wait(20)


def ask(ipc: Ipc, seq: int) -> Reply:
    ipc.send(f"m{seq}-1", "model", "complete", timeout=30.0, ranges=[[1, seq - 1]])
    return soon(lambda: ipc.reply(f"m{seq}-1", "model"), f"reply to m{seq}-1")


def follow(ipc: Ipc, text: str) -> None:
    """Take the first turn, and let its call be answered so."""
    put(ipc, AssistantMessage(seq=3, time=NOW_AGAIN, call="m3-1", text="I look."), answer(NOW_AGAIN, text))


def test_a_run_that_says_the_same_at_another_time_gets_the_same_answers(replay: Callable[..., Ipc]) -> None:
    ipc = replay(*opening(NOW_AGAIN))
    first = ask(ipc, 3)
    follow(ipc, "fine")
    second = ask(ipc, 5)
    assert [r.completion and r.completion.text for r in (first, second)] == ["I look.", "All is well."]


def test_the_message_where_the_new_run_left_the_old_one_is_named(replay: Callable[..., Ipc]) -> None:
    ipc = replay(*opening(NOW_AGAIN))
    ask(ipc, 3)
    follow(ipc, "on fire")
    reply = ask(ipc, 5)
    assert reply.failure == "replay_diverged"
    assert "message 4" in str(reply.content)
    assert "on fire" in str(reply.content)


def test_another_question_differs_from_the_first_message_on(replay: Callable[..., Ipc]) -> None:
    reply = ask(replay(*opening(NOW_AGAIN, "What else?")), 3)
    assert (reply.failure, "message 2" in str(reply.content)) == ("replay_diverged", True)


def test_beyond_the_end_of_the_recording_there_is_no_answer(replay: Callable[..., Ipc]) -> None:
    ipc = replay(*opening(NOW_AGAIN))
    ask(ipc, 3)
    follow(ipc, "fine")
    ask(ipc, 5)
    put(ipc, AssistantMessage(seq=5, time=NOW_AGAIN, call="m5-1", text="All is well."))
    assert ask(ipc, 6).failure == "replay_diverged"
