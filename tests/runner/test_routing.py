"""execute_command goes to the skill that owns the command's first binary."""

from __future__ import annotations

import pytest

from sympozium_protocol.messages import ParticipantSpec
from sympozium_runner.routing import Unroutable, first_binary, route

K8S = ParticipantSpec(name="k8s-ops", role="skill", commands=("kubectl", "curl"))
SRE = ParticipantSpec(name="sre", role="skill", commands=("promtool", "curl"))
SHELL = ParticipantSpec(name="shell", role="skill", commands=())


@pytest.mark.parametrize(
    ("command", "binary"),
    [
        ("kubectl get pods", "kubectl"),
        ("  A=1 B='2' kubectl get", "kubectl"),
        ("(curl x | jq .)", "curl"),
        ("! 'grep' a", "grep"),
        ("{ ls; }", "ls"),
        ("$(evil)", None),
        ("", None),
    ],
)
def test_the_first_binary_of_a_command_line(command: str, binary: str | None) -> None:
    assert first_binary(command) == binary


def test_the_owner_of_the_binary_runs_it() -> None:
    assert route("kubectl get pods", None, [K8S, SRE]) == "k8s-ops"
    assert route("promtool check", None, [K8S, SRE]) == "sre"


def test_with_several_owners_the_model_is_told_to_name_one() -> None:
    with pytest.raises(Unroutable, match=r"Several skills have curl: k8s-ops, sre\. Name one"):
        route("curl http://x", None, [K8S, SRE])
    assert route("curl http://x", "sre", [K8S, SRE]) == "sre"


def test_a_skill_for_any_command_takes_what_nobody_owns() -> None:
    assert route("ls", None, [K8S, SHELL]) == "shell"
    assert route("kubectl get", None, [K8S, SHELL]) == "k8s-ops"


def test_unknown_skills_and_binaries_are_named() -> None:
    with pytest.raises(Unroutable, match="no skill nobody"):
        route("ls", "nobody", [K8S, SRE])
    with pytest.raises(Unroutable, match="No skill has the command 'ls'"):
        route("ls", None, [K8S, SRE])
