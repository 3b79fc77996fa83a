"""The probe of network policies: what it asks, and what follows from the answers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sympozium_controller.install.probe import CLOSED, LABEL, OPEN, documents, told, verdict
from sympozium_controller.install.settings import Settings
from sympozium_controller.render.images import Images

POLICY, OPENED, SHUT = documents(Settings(Images("r", "1")))


@pytest.mark.parametrize(
    ("opened", "closed", "found"),
    [
        ("reached", "unreached", "enforced"),
        ("reached", "reached", "ignored"),
        ("unreached", "unreached", "unknown"),
        ("", "", "unknown"),
        ("reached", "", "unknown"),
    ],
)
def test_the_verdict_follows_from_both_pods(opened: str, closed: str, found: str) -> None:
    assert verdict(opened, closed)[0] == found


def test_the_policy_closes_one_pod_and_not_the_other() -> None:
    assert POLICY["spec"] == {
        "podSelector": {"matchLabels": {LABEL: CLOSED}},
        "policyTypes": ["Ingress", "Egress"],
    }
    assert (OPENED["metadata"]["labels"][LABEL], SHUT["metadata"]["labels"][LABEL]) == (OPEN, CLOSED)
    assert {one["metadata"]["namespace"] for one in (POLICY, OPENED, SHUT)} == {"sympozium-system"}


def test_a_pod_that_has_not_ended_has_told_nothing() -> None:
    over = {"status": {"containerStatuses": [{"state": {"terminated": {"message": "reached"}}}]}}
    assert told({}) is None
    assert told({"status": {"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]}}) is None
    assert told(over) == "reached"
    assert told({"status": {"phase": "Failed"}}) == ""


@pytest.mark.parametrize("listens", [True, False])
def test_what_the_pod_asks_is_what_it_tells(tmp_path: Path, listens: bool) -> None:
    """The pod's own program, asking a port of this machine; a port that is bound and does not listen refuses."""
    message = tmp_path / "message"
    arguments = ask(SHUT if not listens else OPENED)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if listens:
            server.listen()
        code = arguments[2].replace("443", str(server.getsockname()[1]))
        code = code.replace('"/dev/termination-log"', json.dumps(str(message)))
        assert "/dev/termination-log" not in code
        environment = os.environ | {"KUBERNETES_SERVICE_HOST": "127.0.0.1"}
        subprocess.run([sys.executable, "-c", code, arguments[3]], check=True, env=environment, timeout=60)
    assert message.read_text() == ("reached" if listens else "unreached")


def ask(pod: dict[str, Any]) -> list[str]:
    return list(pod["spec"]["containers"][0]["args"])
