"""A completion is paid for: a reply that reached /ipc is never bought again, and one that was lost once."""

from __future__ import annotations

from pathlib import Path

import pytest

from sympozium_protocol.messages import AssistantMessage
from tests.pod.play import Play
from tests.support.provider_server import ProviderServer, provider_server

CALL = ("execute_command", '{"command": "true"}')


def of(server: ProviderServer, play: Play) -> tuple[str, ...]:
    """Options of a run whose provider is this server."""
    return ("--provider", "openai", "--model", "m", "--base-url", f"http://{play.here}:{server.port}/v1")


@pytest.mark.parametrize(
    ("place", "lost"),
    [
        ("model/started#2", 0),
        ("model/before-reply#2", 1),
        ("model/replied#2", 0),
        ("agent/message#6", 0),
        ("agent/call#4", 0),
        ("bridge/verdict#3", 0),
    ],
)
def test_a_reply_that_reached_ipc_is_not_bought_again(place: str, lost: int, play: Play) -> None:
    killed = play.kill_at(place)
    answers = ({"text": "a", "calls": [CALL]}, {"text": "b", "calls": [CALL]}, {"text": "done"})
    with provider_server(*answers, host=play.listen) as server:
        run = play.run(*of(server, play), **killed.env)
    assert killed.passed
    assert (run.code, run.out) == (0, "done\n"), run.err
    turns = sum(isinstance(message, AssistantMessage) for message in run.messages)
    assert len(server.requests) == turns + lost


def test_the_key_is_in_the_model_gateway_and_nowhere_on_disk(play: Play, tmp_path: Path) -> None:
    show = ("execute_command", '{"command": "env; cat /proc/self/environ; cat /proc/$PPID/environ"}')
    with provider_server({"calls": [show]}, {"text": "done"}, host=play.listen) as server:
        run = play.run(*of(server, play), OPENAI_API_KEY="canary-of-a-key")
    assert run.code == 0, run.err
    assert server.headers[0]["authorization"] == "Bearer canary-of-a-key"
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"canary-of-a-key" not in written
    assert "canary-of-a-key" not in run.err + run.out
