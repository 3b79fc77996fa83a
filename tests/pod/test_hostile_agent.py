"""A test program in the agent's place: it forges, floods, links, rewrites and calls without asking."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sympozium_protocol import layout
from sympozium_protocol.clock import utc
from sympozium_protocol.files import digest
from sympozium_protocol.messages import (
    Answer,
    Call,
    LimitSpec,
    ParticipantSpec,
    PolicySpec,
    Question,
    ToolSpec,
    Verdict,
)
from tests.support.scratch import NOW, Ipc, make_ipc, run_spec, soon

OPS = "ops"
PACK = {
    "name": OPS,
    "description": "test",
    "sidecar": {
        "commands": ["touch"],
        "tools": [
            {
                "name": "look",
                "description": "reads",
                "effect": "read",
                "argv": ["/bin/true"],
                "parameters": {"type": "object"},
            }
        ],
    },
}


class Pod:
    """The real gate and the real skill; the test is the agent, and sometimes the person."""

    def __init__(self, path: Path, **changes: object) -> None:
        tools = (ToolSpec(name="look", effect="read"), ToolSpec(name="execute_command"))
        skill = ParticipantSpec(name=OPS, role="skill", tools=tools, commands=("touch",))
        changes.setdefault("policies", (PolicySpec(name="default", template="Default"),))
        self.path = path
        self.workspace = path / "workspace"
        self.workspace.mkdir()
        (path / "pack").mkdir()
        (path / "pack/pack.yaml").write_text(json.dumps(PACK))
        self.ipc: Ipc = make_ipc(path / "ipc", run_spec(skill, **changes))
        self.logs = {name: path / f"{name}.log" for name in ("bridge", "skill")}
        self.programs = {name: self._start(name) for name in self.logs}

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        env = {
            "PATH": os.environ["PATH"],
            "SYMPOZIUM_IPC": str(self.path / "ipc"),
            "SYMPOZIUM_PARTICIPANT": OPS,
            "SYMPOZIUM_PACK": str(self.path / "pack"),
            "SYMPOZIUM_WORKSPACE": str(self.workspace),
        }
        with self.logs[name].open("wb") as log:
            return subprocess.Popen([Path(sys.executable).with_name(f"sympozium-{name}")], env=env, stderr=log)

    def call(self, call_id: str, tool: str = "look", **arguments: object) -> bytes:
        data = Call(id=call_id, participant=OPS, tool=tool, arguments=arguments).encode()
        self.ipc.put(data, *layout.calls(OPS), f"{call_id}.json")
        return data

    def verdict(self, call_id: str) -> Verdict:
        file = self.path.joinpath("ipc", *layout.verdicts(OPS), f"{call_id}.json")
        return soon(lambda: file.exists() and Verdict.decode(file.read_bytes()), f"verdict on {call_id}")

    def question(self, call_id: str) -> Question:
        file = self.path.joinpath("ipc", *layout.questions(OPS), f"{call_id}.json")
        return soon(lambda: file.exists() and Question.decode(file.read_bytes()), f"question about {call_id}")

    def approve(self, call_id: str, covers: str) -> None:
        answer = Answer(participant=OPS, id=call_id, digest=covers, decision="allow", by="ann", time=utc(NOW))
        self.ipc.put(answer.encode(), "console", "1.json")

    def outcome(self, call_id: str) -> str:
        return soon(lambda: self.ipc.reply(call_id, OPS), f"reply to {call_id}").outcome

    def did(self) -> list[str]:
        return sorted(entry.name for entry in self.workspace.iterdir())

    def healthy(self) -> None:
        """Both programs live, and a decent call is still answered."""
        self.call("9-9")
        assert self.outcome("9-9") == "ok"
        assert all(program.poll() is None for program in self.programs.values())

    def stop(self) -> None:
        for program in self.programs.values():
            program.terminate()
        for program in self.programs.values():
            program.wait(20)


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Callable[..., Pod]]:
    pods: list[Pod] = []

    def make(**changes: object) -> Pod:
        pods.append(Pod(tmp_path, **changes))
        return pods[-1]

    yield make
    for made in pods:
        made.stop()


def test_a_call_rewritten_while_a_person_is_asked_is_not_run(pod: Callable[..., Pod]) -> None:
    p = pod()
    data = p.call("4-1", "execute_command", command="touch harmless")
    question = p.question("4-1")
    p.call("4-1", "execute_command", command="touch harmful")
    p.approve("4-1", question.digest)
    verdict = p.verdict("4-1")
    p.healthy()
    assert (verdict.decision, verdict.digest) == ("allow", digest(data))
    assert p.did() == []
    assert "was changed after its verdict" in p.logs["skill"].read_text()


def test_what_a_person_approved_is_what_runs(pod: Callable[..., Pod]) -> None:
    p = pod()
    p.call("4-1", "execute_command", command="touch approved")
    p.approve("4-1", p.question("4-1").digest)
    assert p.outcome("4-1") == "ok"
    assert p.did() == ["approved"]


def test_a_call_that_nobody_allowed_does_not_run_however_often_it_is_made(pod: Callable[..., Pod]) -> None:
    denied = PolicySpec(name="default", template="Default", denied_tools=("execute_command",))
    p = pod(policies=(denied,))
    for n in range(20):
        p.call(f"4-{n}", "execute_command", command="touch harmful")
    assert {p.verdict(f"4-{n}").decision for n in range(20)} == {"deny"}
    p.healthy()
    assert p.did() == []


def test_links_pipes_and_garbage_in_the_place_of_calls_stop_nobody(pod: Callable[..., Pod], tmp_path: Path) -> None:
    p = pod()
    calls = p.path.joinpath("ipc", *layout.calls(OPS))
    secret = tmp_path / "secret.json"
    secret.write_bytes(Call(id="4-1", participant=OPS, tool="look").encode())
    (calls / "4-1.json").symlink_to(secret)
    os.mkfifo(calls / "4-2.json")
    (calls / "4-3.json").mkdir()
    (calls / "4-4.json").write_bytes(b"\x00" * 100)
    (calls / "4-5.json").write_bytes(b"[" * 100_000)
    (calls / ("x" * 200)).touch()
    for name in ("4-1", "4-2", "4-3", "4-4", "4-5"):
        assert p.verdict(name).decision == "deny"
    p.healthy()


def test_a_flood_of_calls_costs_only_the_one_who_floods(pod: Callable[..., Pod]) -> None:
    p = pod(limits=LimitSpec(calls=20))
    p.call("9-9")
    assert p.outcome("9-9") == "ok"
    for n in range(2000):
        p.call(f"4-{n}")
    verdicts = p.path.joinpath("ipc", *layout.verdicts(OPS))
    soon(lambda: len(os.listdir(verdicts)) >= 120, "the gate stops reading")
    replies = [p.ipc.reply(name.removesuffix(".json"), OPS) for name in os.listdir(verdicts)]
    assert sum(reply is not None for reply in replies) <= 20
    assert all(program.poll() is None for program in p.programs.values())


def test_withdrawing_everything_there_is_harms_no_other_call(pod: Callable[..., Pod]) -> None:
    p = pod()
    withdrawn = p.path.joinpath("ipc", *layout.withdrawn(OPS))
    for n in range(500):
        (withdrawn / f"4-{n}").touch()
    (withdrawn / "..strange").touch()
    p.call("4-3")
    assert p.verdict("4-3").decision == "allow"
    p.healthy()
    assert p.ipc.reply("4-3", OPS) is None


def test_the_agent_cannot_lend_its_call_to_another_tool_or_participant(pod: Callable[..., Pod]) -> None:
    p = pod()
    other = Call(id="4-1", participant="model", tool="look").encode()
    p.ipc.put(other, *layout.calls(OPS), "4-1.json")
    wrong_id = Call(id="4-9", participant=OPS, tool="look").encode()
    p.ipc.put(wrong_id, *layout.calls(OPS), "4-2.json")
    assert [p.verdict(name).decision for name in ("4-1", "4-2")] == ["deny", "deny"]
    p.healthy()
