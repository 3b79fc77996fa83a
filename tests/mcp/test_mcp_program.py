"""The program from outside: --help, --list, runs that it cannot be started for, and the conformance kit."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from sympozium_protocol.exits import Reason
from sympozium_protocol.messages import ParticipantSpec
from tests.mcp.conftest import BIN, Bridge, text_of
from tests.support.ipc import run_spec


def mcp(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "sympozium-mcp", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def run_json(bridge: Bridge, *servers: object, role: str = "mcp") -> Path:
    participant = ParticipantSpec(name="mcp", role=role, prefixes=("a_", "b_"))  # type: ignore[arg-type]
    path = bridge.base / "run.json"
    path.write_bytes(run_spec("mcp", participants=(participant,), servers=servers).encode())
    return path


def test_help_names_the_settings() -> None:
    done = mcp("--help")
    assert done.returncode == 0
    assert {"--list", "SYMPOZIUM_IPC", "SYMPOZIUM_RUN_DIGEST"} <= set(done.stdout.replace(",", " ").split())


def test_list_prints_the_tools_of_every_server_and_ends(bridge: Bridge) -> None:
    done = mcp("--list", run_json(bridge, bridge.own("a"), bridge.raw("paged")))
    assert done.returncode == 0, done.stderr
    assert "a_echo\tSays what it is told." in done.stdout.splitlines()
    assert "b_other\t" in done.stdout.splitlines()


def test_list_says_which_server_does_not_come_and_why(bridge: Bridge) -> None:
    missing = bridge.own("a", command=("/nowhere/server",), required=False)
    done = mcp("--list", run_json(bridge, missing))
    assert done.returncode == Reason.ParticipantUnavailable
    assert "MCP server a: /nowhere/server cannot be started" in done.stderr


@pytest.mark.parametrize("content", ["", "{}", "not json"])
def test_list_refuses_what_is_no_run(bridge: Bridge, content: str) -> None:
    path = bridge.base / "run.json"
    path.write_text(content)
    assert mcp("--list", path).returncode == Reason.InvalidRun
    assert mcp("--list", bridge.base / "nothing").returncode == Reason.InvalidRun


def test_list_refuses_a_run_without_a_participant_for_its_servers(bridge: Bridge) -> None:
    done = mcp("--list", run_json(bridge, role="other"))
    assert done.returncode == Reason.InvalidRun
    assert "none has the role mcp" in done.stderr


def test_a_run_without_servers_has_an_empty_manifest(bridge: Bridge) -> None:
    bridge.start()
    assert bridge.names() == set()
    assert bridge.stop() == Reason.Suspended


def test_a_server_starts_where_the_bridge_did_and_not_in_the_workspace(bridge: Bridge) -> None:
    bridge.start(bridge.own("a"))
    assert bridge.call("a_directory").details["structuredContent"]["result"] == os.getcwd()
    assert os.getcwd() != str(bridge.workspace)


def test_a_form_is_declined_unless_the_run_says_otherwise(bridge: Bridge) -> None:
    bridge.start(bridge.own("a"))
    assert text_of(bridge.call("a_ask")) == "decline"
    bridge.heard("declined", server="a", method="elicitation/create", mode="form")


def test_it_passes_the_full_level_of_the_conformance_kit(bridge: Bridge) -> None:
    fields = bridge.base / "fields.json"
    server = bridge.own("a").model_dump(mode="json", by_alias=True, exclude_none=True)
    fields.write_text(json.dumps({"servers": [server]}))
    done = subprocess.run(
        [
            *(BIN / "sympozium-conformance", "--level", "full", "--spec", fields),
            *("--call", 'a_echo={"text": "x"}', "--slow-call", 'a_wait={"seconds": 1.5}'),
            *("--", BIN / "sympozium-mcp"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
