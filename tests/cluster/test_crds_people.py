"""Our kinds as people meet them: what kubectl shows and explains, and what view, edit and admin may do."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.support.cluster import Cluster, Refused
from tests.support.cluster_command import sympozium
from tests.support.cluster_definitions import HEAD

NOW = "2026-01-02T03:04:05Z"


@pytest.fixture(scope="module")
def place(kinds: Cluster) -> Iterator[str]:
    """A namespace with a run, and people of Kubernetes' own roles in it."""
    with kinds.namespace() as name:
        kinds.apply(
            {
                **HEAD,
                "kind": "AgentRun",
                "metadata": {"name": "triage"},
                "spec": {"instanceRef": "watchdog", "input": "Look."},
            },
            "-n",
            name,
        )
        for role in ("view", "edit", "admin"):
            words = (f"--clusterrole={role}", f"--user={role}er", "-n", name)
            kinds.kubectl("create", "rolebinding", role, *words)
        yield name


def table(kinds: Cluster, *words: str) -> list[list[str]]:
    return [line.split() for line in kinds.kubectl("get", *words).splitlines()]


def test_a_list_of_runs_tells_how_far_they_are_and_why(kinds: Cluster, place: str) -> None:
    status = {
        "phase": "Failed",
        "reason": "BudgetExceeded",
        "startTime": NOW,
        "usage": {"usd": "0.42", "inputTokens": 7},
    }
    change = json.dumps({"status": status})
    kinds.kubectl("patch", "ar", "triage", "-n", place, "--subresource=status", "--type=merge", "-p", change)
    head, row = table(kinds, "agentrun", "-n", place)
    assert head == ["NAME", "PHASE", "REASON", "INSTANCE", "STARTED", "AGE"]
    assert row[:4] == ["triage", "Failed", "BudgetExceeded", "watchdog"]
    head, row = table(kinds, "ar", "-n", place, "-o", "wide")
    assert head[6:] == ["WAITING-FOR", "TOKENS-IN", "TOKENS-OUT", "USD", "POD", "MESSAGE"]
    assert row[6:] == ["7", "0.42"]


def test_a_list_of_instances_tells_who_serves_the_model_also_where_there_is_none(kinds: Cluster, place: str) -> None:
    openai = {"name": "openai", "model": "gpt-x", "apiKeySecret": "keys"}
    for name, provider in (("keyed", openai), ("watchdog", {"name": "scripted"})):
        document = {**HEAD, "kind": "SympoziumInstance", "metadata": {"name": name}}
        kinds.apply({**document, "spec": {"provider": provider}}, "-n", place)
    head, keyed, scripted = table(kinds, "si", "-n", place)
    assert head == ["NAME", "PROVIDER", "MODEL", "POLICY", "READY", "AGE"]
    assert keyed[:3] == ["keyed", "openai", "gpt-x"]
    assert scripted[:2] == ["watchdog", "scripted"]
    said = sympozium(kinds.kubeconfig, "instances", "list", "-n", place)[1].splitlines()
    assert said[2].split()[:4] == ["watchdog", "scripted", "<none>", "default"]


@pytest.mark.parametrize("short", ["si", "ar", "sp", "spol", "ssch", "pp", "mcps", "sympozium"])
def test_short_names_and_the_category_are_known(kinds: Cluster, place: str, short: str) -> None:
    kinds.kubectl("get", short, "-n", place)


def test_explain_says_what_a_field_is_for_and_which_words_it_takes(kinds: Cluster) -> None:
    said = kinds.kubectl("explain", "agentrun.spec")
    for words in ("input\t<string> -required-", "What the agent is asked to do.", "It never changes, but for cancel."):
        assert words in said
    said = kinds.kubectl("explain", "si.spec.memory.placement")
    assert "service: one process for all runs" in said
    assert "ENUM:\n    service\n    sidecar" in said


def may(kinds: Cluster, place: str, who: str, verb: str, what: str, *words: str) -> bool:
    said = kinds.kubectl("auth", "can-i", verb, what, f"--as={who}", "-n", place, *words, check=False)
    return said.splitlines()[0] == "yes"  # a warning about a verb that Kubernetes has not may follow


def eventually(kinds: Cluster, place: str, who: str, verb: str, what: str) -> None:
    """Kubernetes puts the roles together a moment after they were made."""
    ends = time.monotonic() + 60
    while not may(kinds, place, who, verb, what):
        assert time.monotonic() < ends, f"{who} may not {verb} {what}"


def test_who_views_reads_and_nothing_else(kinds: Cluster, place: str) -> None:
    eventually(kinds, place, "viewer", "get", "agentruns.sympozium.ai")
    assert may(kinds, place, "viewer", "watch", "sympoziumpolicies.sympozium.ai")
    assert not may(kinds, place, "viewer", "create", "agentruns.sympozium.ai")


def test_who_edits_makes_and_cancels_runs_but_neither_approves_nor_loosens(kinds: Cluster, place: str) -> None:
    eventually(kinds, place, "editer", "create", "agentruns.sympozium.ai")
    assert may(kinds, place, "editer", "patch", "sympoziuminstances.sympozium.ai")
    assert may(kinds, place, "editer", "get", "sympoziumpolicies.sympozium.ai")
    for verb in ("approve", "send"):
        assert not may(kinds, place, "editer", verb, "agentruns.sympozium.ai")
    assert not may(kinds, place, "editer", "patch", "sympoziumpolicies.sympozium.ai")


def test_who_administers_approves_sends_and_sets_policies(kinds: Cluster, place: str) -> None:
    eventually(kinds, place, "adminer", "approve", "agentruns.sympozium.ai")
    for verb, what in (("send", "agentruns"), ("patch", "sympoziumpolicies"), ("delete", "skillpacks")):
        assert may(kinds, place, "adminer", verb, f"{what}.sympozium.ai")


@pytest.mark.parametrize("who", ["viewer", "editer", "adminer"])
def test_nobody_of_them_writes_a_status(kinds: Cluster, place: str, who: str) -> None:
    eventually(kinds, place, who, "get", "agentruns.sympozium.ai")
    assert not may(kinds, place, who, "patch", "agentruns.sympozium.ai", "--subresource=status")


def test_who_may_not_approve_says_of_no_run_that_it_was_answered(kinds: Cluster, place: str) -> None:
    """Each further attempt begins with the run's whole time."""
    eventually(kinds, place, "editer", "create", "agentruns.sympozium.ai")
    eventually(kinds, place, "adminer", "approve", "agentruns.sympozium.ai")
    made = {**HEAD, "kind": "AgentRun", "metadata": {"name": "asks"}, "spec": {"instanceRef": "a", "input": "b"}}
    early = {**made, "metadata": {"name": "early", "annotations": {"sympozium.ai/answered": "9"}}}
    says = ("annotate", "ar", "asks", "-n", place, "--overwrite")
    editer, adminer = ("--as=editer", "-n", place), ("--as=adminer", "-n", place)
    kinds.create(made, *editer)
    for refused in (
        lambda: kinds.create(early, *editer),
        lambda: kinds.kubectl(*says, "sympozium.ai/answered=1", *editer),
    ):
        with pytest.raises(Refused, match="who may approve"):
            refused()
    kinds.kubectl(*says, "sympozium.ai/answered=1", *adminer)
    with pytest.raises(Refused, match="who may approve"):
        kinds.kubectl(*says, "sympozium.ai/answered-", *editer)
    kinds.kubectl(*says, "mine=yes", *editer)
