"""Whole runs with a memory and with an MCP server: two further participants, and no change to the agent."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sympozium_protocol.exits import Reason
from sympozium_protocol.messages import RecollectionMessage, TextPart, ToolsMessage
from tests.pod.play import PROCESSES, SYMPOZIUM, Play, Run
from tests.support.ports import connects, free_port
from tests.support.scratch import soon

SERVER = Path(__file__).parents[1] / "support" / "mcp_server.py"
FACT = "payments-api was OOMKilled: its price cache has no bound"
SEED = "Nobody restarts payments-api at the end of a quarter"


def call(tool: str, save: str = "r", **arguments: object) -> dict[str, object]:
    return {"tool": tool, "arguments": arguments, "save": save}


def remembering(path: Path, **memory: object) -> Path:
    """An instance with a memory, and a run of it."""
    spec = {"provider": {"name": "scripted"}, "memory": {"enabled": True, **memory}}
    run = {"instanceRef": "i", "input": "why did payments-api crash last tuesday?"}
    objects = [
        {"apiVersion": "sympozium.ai/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": found}
        for kind, name, found in (("SympoziumInstance", "i", spec), ("AgentRun", "r", run))
    ]
    file = path / "objects.yaml"
    file.write_text("---\n".join(json.dumps(found) + "\n" for found in objects))
    return file


def played(play: Play, name: str, *options: str, **env: str) -> Run:
    """A run in a directory of its own; the memory is the same."""
    run = play.do([*play.plain(*options), "--dir", str(play.path / name)], **env)
    return replace(run, directory=play.path / name)


def asked_of_memory(play: Play, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SYMPOZIUM), "memory", "--instance", "i", *words],
        env=play.env(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_an_agent_asked_twice_remembers_and_a_person_can_take_it_back(play: Play, tmp_path: Path) -> None:
    objects = str(remembering(tmp_path))
    stores = str(play.script([{"call": [call("memory_store", content=FACT, tags=["incident"])]}, {"say": "stored"}]))
    assert played(play, "one", "-f", objects, "--script", stores).code == 0
    asks = str(play.script([{"call": [call("memory_search", query="payments-api crash")]}, {"say": "${r}"}]))
    assert FACT in played(play, "two", "-f", objects, "--script", asks).out
    (entry,) = json.loads(asked_of_memory(play, "list", "--json").stdout)
    assert (entry["content"], entry["trust"], entry["tags"]) == (FACT, "agent", ["incident"])
    assert asked_of_memory(play, "revoke", "--run", entry["run"]).returncode == 0
    assert FACT not in played(play, "three", "-f", objects, "--script", asks).out


def test_the_built_in_script_says_what_is_remembered(play: Play) -> None:
    assert asked_of_memory(play, "store", f"{FACT}; that is so", "--instance", "laptop").returncode == 0
    run = play.run("--memory")
    assert run.code == 0, run.err
    assert "no model was asked" in run.out
    assert FACT in run.out


@pytest.mark.parametrize("rest", ["", " and so on" * 1000], ids=["short", "long"])
def test_the_best_matches_of_the_input_are_in_the_prompt_marked_as_recollection(
    play: Play, tmp_path: Path, rest: str
) -> None:
    objects = str(remembering(tmp_path, seeds=[SEED], recall=20))
    script = str(play.script([{"say": "done"}]))
    run = played(play, "run", f"why did payments-api crash?{rest}", "-f", objects, "--script", script)
    assert run.code == 0, run.err
    (recollection,) = [message for message in run.messages if isinstance(message, RecollectionMessage)]
    assert (recollection.participant, recollection.outcome) == ("memory", "ok")
    assert any(isinstance(part, TextPart) and SEED in part.text for part in recollection.content)


@PROCESSES
def test_a_person_may_be_the_first_to_put_something_into_a_memory(play: Play) -> None:
    assert asked_of_memory(play, "store", FACT).returncode == 0
    (entry,) = json.loads(asked_of_memory(play, "list", "--json").stdout)
    assert (entry["content"], entry["trust"]) == (FACT, "person")


@PROCESSES
@pytest.mark.parametrize("name", ["..", "a/b", "", "a\nb"])
def test_what_is_no_name_names_no_memory(play: Play, name: str) -> None:
    refused = asked_of_memory(play, "list", "--instance", name)
    assert refused.returncode == Reason.Usage
    assert "--instance" in refused.stderr


def test_seeds_are_stored_once_however_often_the_instance_runs(play: Play, tmp_path: Path) -> None:
    objects = str(remembering(tmp_path, seeds=[SEED]))
    script = str(play.script([{"say": "done"}]))
    for name in ("one", "two"):
        assert played(play, name, "-f", objects, "--script", script).code == 0
    (entry,) = json.loads(asked_of_memory(play, "list", "--json").stdout)
    assert (entry["trust"], entry["count"]) == ("seed", 1)


@pytest.mark.parametrize("point", ["memory/started", "memory/effect", "memory/before-reply", "memory/replied"])
def test_a_memory_that_is_killed_at_any_moment_stores_once_and_answers(play: Play, tmp_path: Path, point: str) -> None:
    objects = str(remembering(tmp_path))
    script = play.script([{"call": [call("memory_store", content=FACT)]}, {"say": "${r.outcome}"}])
    killed = play.kill_at(point)
    run = played(play, "run", "-f", objects, "--script", str(script), **killed.env)
    assert killed.passed
    assert (run.code, run.out) == (0, "ok\n"), run.err
    (entry,) = json.loads(asked_of_memory(play, "list", "--json").stdout)
    assert entry["content"] == FACT


@contextmanager
def server(play: Play) -> Iterator[str]:
    """An MCP server as a run reaches it: by its command, or, where that is not in the image, by its address."""
    command = [sys.executable, str(SERVER), "--marks", str(play.path)]
    if play.on == "processes":
        yield " ".join(command)
        return
    port = free_port()
    with subprocess.Popen([*command, "--http", str(port), "--host", play.listen], stderr=subprocess.DEVNULL) as process:
        soon(lambda: connects(port), "a server that listens")
        yield f"http://{play.here}:{port}/mcp"
        process.kill()


def test_an_mcp_servers_tools_are_the_agents_under_their_prefix(play: Play) -> None:
    script = play.script([{"call": [call("own_add", a=20, b=22)]}, {"say": "${r}"}])
    with server(play) as own:
        run = play.run("--mcp", f"own={own}", "--script", str(script))
    assert run.code == 0, run.err
    assert "42" in run.out
    (tools,) = [message for message in run.messages if isinstance(message, ToolsMessage)]
    assert {"own_add", "own_echo"} <= {tool.name for tool in tools.tools}


def test_tools_that_a_server_offers_later_are_the_agents_between_two_steps(play: Play) -> None:
    script = play.script(
        [
            {"call": [call("own_grow", name="late")]},
            {"call": [call("own_wait", seconds=1)]},  # the list comes by itself, whenever the server says so
            {"say": "done"},
        ]
    )
    with server(play) as own:
        run = play.run("--mcp", f"own={own}", "--script", str(script))
    assert run.code == 0, run.err
    offers = [{tool.name for tool in m.tools} for m in run.messages if isinstance(m, ToolsMessage)]
    assert offers[-1] - offers[0] == {"own_late"}


def test_a_required_server_that_cannot_be_had_ends_the_run_and_says_which_and_why(play: Play) -> None:
    run = play.run("--mcp", "away=no-such-program-anywhere", "--script", str(play.script([{"say": "never"}])))
    assert run.code == Reason.ParticipantUnavailable
    assert "MCP server away: no-such-program-anywhere cannot be started" in run.err


def test_a_recorded_run_with_a_memory_is_played_again(play: Play, tmp_path: Path) -> None:
    objects = str(remembering(tmp_path, seeds=[SEED], recall=1))
    script = play.script([{"call": [call("memory_list")]}, {"say": "${r}"}])
    first = played(play, "one", "-f", objects, "--script", str(script))
    again = played(replace(play, on="processes"), "two", "--replay", str(play.path / "one"))
    assert (first.code, again.code) == (0, 0), again.err
    assert SEED in again.out
