"""What a person reads of a run's verdicts: who decided, and why, each once."""

from __future__ import annotations

import asyncio
import io
from types import SimpleNamespace
from typing import Any

import pytest

from sympozium_cli.bus.named import Bus
from sympozium_cli.cluster.watching import LoopVoice
from sympozium_cli.terminal import Terminal
from sympozium_cli.view.events import Judged
from sympozium_cli.view.present import Presenter
from sympozium_protocol.bus.faults import Forbidden
from sympozium_protocol.bus.subjects import RunKey
from sympozium_protocol.messages.calls import Verdict
from tests.support.ipc import NOW


def shown(by: str, reason: str, decision: str = "allow") -> str:
    stream = io.StringIO()
    verdict = Verdict.model_validate(
        {
            "id": "4-1",
            "participant": "ops",
            "digest": "a" * 64,
            "decision": decision,
            "by": by,
            "reason": reason,
            "time": NOW,
        }
    )
    Presenter(Terminal(stream)).show(Judged(verdict, asked=True))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("by", "reason", "decision", "line"),
    [
        ("person:ada", "ada approved it", "allow", "· 4-1 allowed by ada"),
        ("person:ada", "ada approved it: it is only a restart", "allow", "· 4-1 allowed by ada: it is only a restart"),
        ("person:ada", "ada denied it: not today", "deny", "! 4-1 denied by ada: not today"),
        ("person:ada", "in other words", "deny", "! 4-1 denied by ada: in other words"),
        ("person:approve all", "approve all approved it", "allow", "· 4-1 allowed by --approve all"),
        ("no-writes", "policy no-writes denies ls", "deny", "! 4-1 denied: policy no-writes denies ls"),
        ("gate", "nobody answered in time", "deny", "! 4-1 denied by gate: nobody answered in time"),
    ],
)
def test_a_verdict_names_whoever_decided_once(by: str, reason: str, decision: str, line: str) -> None:
    assert shown(by, reason, decision) == f"{line}\n"


def test_an_answer_at_the_terminal_that_is_refused_tells_the_right_that_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(*_: object) -> None:
        raise Forbidden("permissions violation")

    async def answer() -> list[str]:
        said: list[str] = []
        known: Any = SimpleNamespace(run=RunKey("payments", "careful-1"))
        voice = LoopVoice(Bus("tls://127.0.0.1:4222"), known, said.append)
        voice.answer("shell", "4-1", "a" * 64, allow=True)
        voice.send("hello")
        while len(said) < 2:
            await asyncio.sleep(0)
        return said

    monkeypatch.setattr("sympozium_cli.cluster.watching.said_on", refuse)
    first, second = asyncio.run(asyncio.wait_for(answer(), 10))
    assert first.startswith("careful-1: you may not answer for this run: it takes the verb approve on agentruns.symp")
    assert "in namespace payments; the ClusterRoles admin and sympozium-admin have it" in second
    assert "the verb send" in second
